"""Types of parameters, as the nodes of the pipelines declare them."""

from collections.abc import Collection, Mapping
from typing import Any

from kedro.framework.project import pipelines
from kedro.validation.type_extractor import TypeExtractor
from pydantic import BaseModel, ValidationError

from etram_pipeline.core.validation_errors import describe_errors


def parameter_types() -> dict[str, Any]:
    """Type of each parameter that a node of any pipeline reads, by top-level key."""
    types: dict[str, Any] = TypeExtractor(dict(pipelines)).extract_types_from_pipelines()
    return types


def parameter_faults(raw: Mapping[str, Any], only: Collection[str] | None = None) -> list[str]:
    """One line for each wrong value of the parameters that any pipeline reads.

    Args:
        raw: Nested parameters.
        only: Top-level keys to check; None: all.
    """
    found: list[str] = []
    for name, model in parameter_types().items():
        if name not in raw or (only is not None and name not in only):
            continue
        if isinstance(model, type) and issubclass(model, BaseModel):
            try:
                model.model_validate(raw[name])
            except ValidationError as error:
                found += describe_errors(error, name)
    return found
