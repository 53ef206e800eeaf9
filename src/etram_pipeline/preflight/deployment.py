"""Checks that a detector can be exported."""

from collections.abc import Iterator

from etram_pipeline.deployment.requirements import (
    EXPORTERS,
    RUNNERS,
    find_export_fault,
    find_missing_packages,
)
from etram_pipeline.deployment.settings import DeploySettings
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.preflight.run import Notice, Run


def check(run: Run) -> Iterator[Notice]:
    """A detector that cannot be exported, and packages that are missing."""
    yield from _check_export(run)
    if "deployment_report" in run.makes:
        deploy = run.parameter("deploy", DeploySettings.model_validate)
        for engine in deploy.latency.engines:
            if fault := engine.find_fault():
                yield Notice(fault)


def _check_export(run: Run) -> Iterator[Notice]:
    if "exported_detector" not in run.makes:
        return
    missing = find_missing_packages((*EXPORTERS, *RUNNERS))
    if missing:
        yield Notice(missing)
        return
    if "checkpoint" in run.makes:
        config = run.parameter("detector", DetectorConfig.model_validate)
        fault = find_export_fault(config, is_exported=False)
    elif run.trained is not None:
        is_exported = run.trained.frame_size is not None
        fault = find_export_fault(run.trained.config, is_exported=is_exported)
    else:  # reported by the check of files
        return
    if fault:
        yield Notice(fault)
