"""The project's pipelines, named one by one: a misspelt name is answered with the nearest."""

from kedro.pipeline import Pipeline

from etram_pipeline.pipelines import evaluate, export, predict, preprocess, report, train


def register_pipelines() -> dict[str, Pipeline]:
    """Every pipeline by name; `apply` goes from a recording of one's own to an annotated video."""
    parts = {
        "preprocess": preprocess.create_pipeline(),
        "train": train.create_pipeline(),
        "predict": predict.create_pipeline(),
        "evaluate": evaluate.create_pipeline(),
        "report": report.create_pipeline(),
    }
    annotate = report.create_video_pipeline()
    return {
        **parts,
        "quality": preprocess.create_quality_pipeline(),
        "export": export.create_pipeline(),
        "annotate": annotate,
        "apply": parts["preprocess"] + parts["predict"] + annotate,
        "__default__": sum(parts.values(), start=Pipeline([])),
    }
