"""The deploy pipeline."""

from etram_pipeline.pipelines.deploy.pipeline import create_pipeline

__all__ = ["create_pipeline"]
