"""The count pipeline."""

from etram_pipeline.pipelines.count.pipeline import create_pipeline

__all__ = ["create_pipeline"]
