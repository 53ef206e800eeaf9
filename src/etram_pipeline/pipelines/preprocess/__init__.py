"""The preprocess pipeline, and the part of it that only looks at the recordings."""

from etram_pipeline.pipelines.preprocess.pipeline import create_pipeline, create_quality_pipeline

__all__ = ["create_pipeline", "create_quality_pipeline"]
