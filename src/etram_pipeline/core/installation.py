"""Which distribution of the package is installed: the project, or only its runtime."""

from importlib.metadata import PackageNotFoundError, version

from etram_pipeline.core.errors import SettingsError

PROJECT, RUNTIME = "etram-pipeline", "etram-pipeline-runtime"


def check_installation() -> None:
    """Refuse an environment in which the project and its runtime overwrite each other's files.

    Python then imports some modules of one and some of the other, and if either is uninstalled,
    modules of the other are missing.

    Raises:
        SettingsError: If both are installed.
    """
    installed = []
    for name in (PROJECT, RUNTIME):
        try:
            installed.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            return
    raise SettingsError(
        f"{' and '.join(installed)} are both installed, and hold the same files: run "
        f"`pip uninstall {RUNTIME}` and install {PROJECT} again, which can do the same"
    )
