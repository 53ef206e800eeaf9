"""Environments of published data sets train and score as the authors of RVT do."""

import pytest
from tests.conftest import OpenSession


@pytest.mark.parametrize(
    ("env", "classes", "clips", "rate", "padded"),
    [
        ("gen1", ("car", "pedestrian"), (8, 21), 2e-4, (256, 320)),
        ("gen4", ("pedestrian", "two-wheeler", "car"), (12, 5), 3.46e-4 / 2**0.5, (384, 640)),
    ],
)
def test_published_sets_are_trained_and_scored_as_rvt_does(
    session: OpenSession,
    env: str,
    classes: tuple[str, ...],
    clips: tuple[int, int],
    rate: float,
    padded: tuple[int, int],
) -> None:
    """Source: uzh-rpg/RVT, config/experiment/{gen1,gen4}/default.yaml, config/modifier.py."""
    with session(env) as active:
        found = active.load_context().params
    train, dataset = found["train"], found["dataset"]
    assert (train.max_steps, train.lanes, train.clip_length) == (400_000, *clips)
    assert train.optimizer.learning_rate == pytest.approx(rate, rel=2e-3)
    assert train.validation.protocol == found["evaluate"].protocols[0].name == f"rvt_{env}"
    assert dataset.detected_classes == found["evaluate"].protocols[0].class_names == classes
    by = found["representation"].downsampled_by
    multiple = 32 * found["detector"].backbone.partition_split
    sides = dataset.height // by, dataset.width // by
    assert tuple(-(-side // multiple) * multiple for side in sides) == padded
