"""The track pipeline."""

from etram_pipeline.pipelines.track.pipeline import create_pipeline

__all__ = ["create_pipeline"]
