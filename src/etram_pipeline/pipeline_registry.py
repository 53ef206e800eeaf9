"""The project's pipelines, named one by one: a misspelt name is answered with the nearest."""

from kedro.pipeline import Pipeline

from etram_pipeline.pipelines import (
    count,
    deploy,
    evaluate,
    export,
    predict,
    preprocess,
    rates,
    report,
    robustness,
    track,
    train,
)


def register_pipelines() -> dict[str, Pipeline]:
    """Every pipeline by name; `apply` goes from a recording of one's own to an annotated video."""
    tracking = track.create_pipeline()
    parts = {
        "preprocess": preprocess.create_pipeline(),
        "train": train.create_pipeline(),
        "predict": predict.create_pipeline(),
        "track": tracking,
        "count": count.create_pipeline(),
        # Tracking takes seconds, and scores of former tracks would say nothing of new detections.
        "evaluate": tracking + evaluate.create_pipeline(),
        "report": report.create_pipeline(),
    }
    annotate = report.create_video_pipeline()
    return {
        **parts,
        "quality": preprocess.create_quality_pipeline(),
        "export": export.create_pipeline(),
        "deploy": deploy.create_pipeline(),
        "rates": rates.create_pipeline(),
        "robustness": robustness.create_pipeline(),
        "annotate": annotate,
        "apply": parts["preprocess"] + parts["predict"] + tracking + parts["count"] + annotate,
        "__default__": sum(parts.values(), start=Pipeline([])),
    }
