"""The preprocess pipeline, and its quality report as a pipeline of its own."""

from etram_pipeline.pipelines.preprocess.pipeline import create_pipeline, create_quality_pipeline

__all__ = ["create_pipeline", "create_quality_pipeline"]
