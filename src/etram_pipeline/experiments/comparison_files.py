"""The files of a comparison, which appear together."""

from pathlib import Path

from etram_pipeline.datasets.replaced_folder import new_folder, replace_folder, sweep
from etram_pipeline.reports.comparison import Comparison
from etram_pipeline.reports.comparison_figures import draw_comparison_figures
from etram_pipeline.reports.comparison_page import write_comparison_page
from etram_pipeline.reports.comparison_tables import leaderboard
from etram_pipeline.yaml_files import ConfigurationError

PAGE = "comparison.html"

_DPI = 150


def check_folder(folder: Path) -> None:
    """Refuse a folder whose content a comparison must not replace.

    Raises:
        ConfigurationError: If it holds anything else than a comparison.
    """
    if folder.exists() and not (folder / PAGE).is_file():
        raise ConfigurationError(
            f"{folder} exists and holds no comparison: choose a new folder, which is written as a "
            "whole"
        )


def write_comparison(comparison: Comparison, folder: Path, command: str) -> Path:
    """Write page, figures and leaderboard; they replace those of an earlier comparison.

    Args:
        comparison: What was found.
        folder: Where to write.
        command: How the page is made.

    Returns:
        The page.
    """
    figures = draw_comparison_figures(comparison)
    folder.parent.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    with new_folder(folder) as new:
        (new / "leaderboard.csv").write_text(leaderboard(comparison).csv())
        (new / PAGE).write_text(write_comparison_page(comparison, figures, command))
        for name, figure in figures.items():
            figure.savefig(new / f"{name}.png", dpi=_DPI, metadata={"Software": None})
        replace_folder(folder, new)
    return folder / PAGE
