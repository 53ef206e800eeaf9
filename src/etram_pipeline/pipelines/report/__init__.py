"""The report pipeline, and the part of it that needs no metrics."""

from etram_pipeline.pipelines.report.pipeline import create_pipeline, create_video_pipeline

__all__ = ["create_pipeline", "create_video_pipeline"]
