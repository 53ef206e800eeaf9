"""What an export needs, which is known without PyTorch."""

from importlib.util import find_spec

from etram_pipeline.models.detectors import DetectorConfig

EXPORTERS = ("onnx", "onnxscript")
"""Packages that write an exported file, beside PyTorch."""

RUNNERS = ("onnxruntime",)
"""Packages that run it."""


def find_export_fault(config: DetectorConfig | None, *, is_exported: bool) -> str:
    """Error message for a detector that cannot be exported here; empty if it can.

    Args:
        config: Its settings; None if they are not known.
        is_exported: Whether it was read from an exported file.
    """
    if is_exported or config is None:
        return "the checkpoint is an exported file: give the checkpoint that it was exported from"
    if config.export_fault:
        return f"a detector of kind {config.kind} cannot be exported: {config.export_fault}"
    return find_missing_packages(EXPORTERS)


def find_missing_packages(names: tuple[str, ...]) -> str:
    """Error message for packages that are not installed; empty if all are."""
    missing = [name for name in names if find_spec(name) is None]
    if not missing:
        return ""
    verb = "is" if len(missing) == 1 else "are"
    return (
        f"{' and '.join(missing)} {verb} needed to export detectors, but {verb} not installed: "
        "pip install -e '.[deploy]'"
    )
