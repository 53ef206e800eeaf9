"""What tests that export a detector share."""

from collections.abc import Iterator

import pytest
from jaxtyping import config


@pytest.fixture(scope="module", autouse=True)
def _unchecked_shapes() -> Iterator[None]:
    """Without checks of shapes, which cannot read a number of lanes that is not a number yet."""
    config.update("jaxtyping_disable", True)  # noqa: FBT003
    yield
    config.update("jaxtyping_disable", False)  # noqa: FBT003
