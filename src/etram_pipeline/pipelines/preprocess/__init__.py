"""The preprocess pipeline."""

from etram_pipeline.pipelines.preprocess.pipeline import create_pipeline

__all__ = ["create_pipeline"]
