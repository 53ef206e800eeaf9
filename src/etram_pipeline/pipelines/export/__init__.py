"""The export pipeline."""

from etram_pipeline.pipelines.export.pipeline import create_pipeline

__all__ = ["create_pipeline"]
