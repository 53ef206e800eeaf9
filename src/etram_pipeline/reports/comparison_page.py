"""The comparison of experiments as one HTML file that needs no other."""

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.figure import Figure

from etram_pipeline.evaluation.paired import Difference
from etram_pipeline.reports.comparison import Comparison, Side
from etram_pipeline.reports.comparison_tables import setting_tables, side_table
from etram_pipeline.reports.comparison_wording import (
    excludes_zero,
    general_facts,
    interval_text,
    judgement_facts,
    left_out_facts,
    signed_text,
    verdict_sentence,
)
from etram_pipeline.reports.forest import Scale, extent
from etram_pipeline.reports.page import plot
from etram_pipeline.reports.templating import render_page
from etram_pipeline.reports.wording import protocol_facts

_MOST_OPEN = 2
"""Sides whose differences are shown at once; those of further ones are folded."""

_MOST_WIDER = 2.5
"""Intervals of rare classes are cut off, where they would squeeze all others into a dot."""

_CAPTIONS = {
    "training_curves": "Validations of each training, on recordings that are used neither for "
    "training nor for the comparison. Compare them at equal steps.",
    "metrics_bar_comparison": "The interval of one side says how far its value may be off; whether "
    "two sides differ is read from the differences below, whose intervals are usually narrower.",
    "model_size_comparison": "Up and to the left is better: more precise with fewer parameters.",
    "hp_lr_scatter": "Sides differ in more than the learning rate if their settings below do.",
}


@dataclass(frozen=True)
class _Row:
    """A difference as the page shows it."""

    name: str
    drawing: Markup
    difference: str
    interval: str
    is_clear: bool
    found: Difference


@dataclass(frozen=True)
class _Verdict:
    """The verdict on one of the other sides."""

    side: Side
    word: str
    sentence: str
    drawing: Markup
    facts: tuple[str, ...]


@dataclass(frozen=True)
class _Part:
    """The differences of one of the other sides, group by group."""

    side: Side
    axis: Markup
    groups: dict[str, list[_Row]]
    is_open: bool


def write_comparison_page(
    comparison: Comparison, figures: Mapping[str, Figure], command: str = ""
) -> str:
    """The page as HTML.

    Args:
        comparison: What to show.
        figures: Those that `draw_comparison_figures` gives, by name.
        command: How the page is made; empty leaves it out.
    """
    scale = Scale.around(
        found[judgement.metric]
        for found, judgement in zip(comparison.differences, comparison.judgements, strict=True)
    )
    settings, partial = setting_tables(comparison)
    values = {
        "comparison": comparison,
        "verdicts": [_verdict(comparison, place, scale) for place in _places(comparison)],
        "axis": scale.axis(),
        "general_facts": general_facts(comparison),
        "left_out": left_out_facts(comparison.sides),
        "facts": protocol_facts(comparison.protocol),
        "side_table": side_table(comparison),
        "parts": [_part(comparison, place) for place in _places(comparison)],
        "figures": {
            name: plot(figure, _CAPTIONS[name])
            for name, figure in figures.items()
            if figure.axes[0].axison  # those without values are only files
        },
        "settings": settings,
        "partial_settings": partial,
        "command": command,
    }
    return render_page("comparison.html.j2", values)


def _places(comparison: Comparison) -> range:
    return range(len(comparison.others))


def _verdict(comparison: Comparison, place: int, scale: Scale) -> _Verdict:
    judgement = comparison.judgements[place]
    found = comparison.differences[place][judgement.metric]
    side = comparison.others[place]
    return _Verdict(
        side=side,
        word=judgement.verdict,
        sentence=verdict_sentence(comparison, place),
        drawing=scale.row(f"{side.name}, {comparison.title(judgement.metric)}", found),
        facts=judgement_facts(comparison, place),
    )


def _part(comparison: Comparison, place: int) -> _Part:
    differences = comparison.differences[place]
    shown = comparison.shown(differences)
    overall = max(extent(differences[name]) for name in shown["all recordings"])
    scale = Scale.around(
        (differences[name] for names in shown.values() for name in names), _MOST_WIDER * overall
    )
    return _Part(
        side=comparison.others[place],
        axis=scale.axis(),
        groups={
            group: [_row(comparison.title(name), differences[name], scale) for name in names]
            for group, names in shown.items()
        },
        is_open=len(comparison.others) <= _MOST_OPEN,
    )


def _row(name: str, found: Difference, scale: Scale) -> _Row:
    return _Row(
        name=name,
        drawing=scale.row(name, found),
        difference=signed_text(found.difference),
        interval=interval_text(found.low, found.high),
        is_clear=excludes_zero(found),
        found=found,
    )
