"""Checks the other packages that are installed: what they offer, and what they overwrite."""

from collections.abc import Iterator

from etram_pipeline.core.component import families, kinds
from etram_pipeline.core.installation import check_installation
from etram_pipeline.core.plugins import hidden_plugins
from etram_pipeline.preflight.run import Notice, Run


def check(run: Run) -> Iterator[Notice]:  # noqa: ARG001  # as all checks
    """Parts of other packages that the project's own parts of the same name replace.

    Raises:
        SettingsError: If the runtime is installed too, which has the same files as the project.
    """
    check_installation()
    for family in families():
        for line in hidden_plugins(family.package, kinds(family.package)):
            yield Notice(line, is_fault=False)
