"""The robustness pipeline."""

from etram_pipeline.pipelines.robustness.pipeline import create_pipeline

__all__ = ["create_pipeline"]
