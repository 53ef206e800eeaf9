"""The rates pipeline."""

from etram_pipeline.pipelines.rates.pipeline import create_pipeline

__all__ = ["create_pipeline"]
