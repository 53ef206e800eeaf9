"""Scalings of scores: right probabilities, and the order of detections as it was."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Bool, Float64
from pydantic import ValidationError

from etram_pipeline.core.calibration import Calibration
from etram_pipeline.core.component import kinds
from etram_pipeline.core.operating_scores import OperatingScores
from etram_pipeline.core.scaling_kind import ScalingKind
from etram_pipeline.core.scalings import Scaling, fit_scaling

Simulated = tuple[Float64[np.ndarray, " N"], Bool[np.ndarray, " N"]]

KINDS: tuple[ScalingKind, ...] = ("temperature", "platt", "isotonic")
SCALINGS = [
    *({"kind": "temperature", "temperature": each} for each in (0.05, 0.4, 1, 3, 20)),
    *({"kind": "platt", "slope": slope, "bias": 6} for slope in (0.3, 1, 8)),
    *({"kind": "platt", "slope": slope, "bias": -10} for slope in (0.05, 20)),
    {"kind": "isotonic", "scores": [0.1, 0.2, 0.7], "shares": [0, 0.5, 0.5]},
]


def simulate(seed: int, slope: float, bias: float, number: int = 20_000) -> Simulated:
    """Scores whose logit, multiplied and shifted so, is that of the probability to be right."""
    draws = np.random.default_rng(seed)
    logits = draws.normal(0, 1.5, number)
    is_right = draws.random(number) < 1 / (1 + np.exp(-(slope * logits + bias)))
    return (1 / (1 + np.exp(-logits))).astype(np.float32).astype(np.float64), is_right


def test_the_kinds_are_those_that_settings_name() -> None:
    assert sorted(KINDS) == kinds("etram_pipeline.core.scalings")


def test_a_temperature_of_a_half_squares_the_odds() -> None:
    scaling = Scaling.model_validate({"kind": "temperature", "temperature": 0.5})
    # Odds of 3 to 1 become 9 to 1, and 1 to 1 stays.
    np.testing.assert_allclose(scaling.apply(np.array([0.75, 0.5, 0.25])), [0.9, 0.5, 0.1], 1e-5)
    np.testing.assert_array_equal(scaling.apply(np.array([0.0, 1.0])), [0, 1])


def test_platt_scaling_also_shifts() -> None:
    settings = {"kind": "platt", "slope": 1, "bias": float(np.log(4))}
    found = Scaling.model_validate(settings).apply(np.array([0.2, 0.5]))
    np.testing.assert_allclose(found, [0.5, 0.8], rtol=1e-5)  # odds of 1 to 4 and of 1 to 1


def test_isotonic_scaling_is_the_share_of_right_detections_where_it_rises() -> None:
    scores = np.array([0.1, 0.2, 0.3, 0.3, 0.5, 0.5, 0.9])
    is_right = np.array([False, True, False, False, True, False, True])
    # From 0.2 to 0.3, one of three is right; the shares alone would fall.
    found = fit_scaling("isotonic", scores, is_right).apply(np.array([0.1, 0.2, 0.3, 0.5, 0.9, 1]))
    np.testing.assert_allclose(found, [0, 1 / 3, 1 / 3, 0.5, 1, 1], atol=2e-6)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_a_temperature_is_found_again(temperature: float) -> None:
    scores, is_right = simulate(seed=3, slope=1 / temperature, bias=0)
    found = fit_scaling("temperature", scores, is_right).model_dump()["temperature"]
    assert found == pytest.approx(temperature, rel=0.05)


def test_slope_and_bias_are_found_again() -> None:
    found = fit_scaling("platt", *simulate(seed=4, slope=1.5, bias=1.2)).model_dump()
    assert found["slope"] == pytest.approx(1.5, rel=0.05)
    assert found["bias"] == pytest.approx(1.2, rel=0.05)


@pytest.mark.parametrize("kind", ["temperature", "platt"])
def test_three_right_detections_allow_no_certainty(kind: ScalingKind) -> None:
    found = fit_scaling(kind, np.array([0.6, 0.7, 0.8]), np.full(3, fill_value=True))
    assert found.apply(np.array([0.8]))[0] < 0.95


@pytest.mark.parametrize("settings", SCALINGS, ids=str)
@given(start=st.floats(2**-10, 1, width=32))
def test_neighbours_in_single_precision_stay_in_order(
    settings: dict[str, object], start: float
) -> None:
    first = np.float32(start)
    scores = np.array([first, np.nextafter(first, np.float32(2))]).clip(0, 1).astype(np.float64)
    low, high = Scaling.model_validate(settings).apply(scores)
    assert 0 <= low <= high <= 1
    assert (low < high) == (scores[0] < scores[1])


@pytest.mark.parametrize("settings", SCALINGS, ids=str)
def test_the_largest_scores_of_single_precision_differ_afterwards(
    settings: dict[str, object],
) -> None:
    scores = (1 - np.arange(5000) * 2.0**-24)[::-1]
    assert (np.diff(Scaling.model_validate(settings).apply(scores)) > 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_calibration_survives_a_file(kind: ScalingKind) -> None:
    scaling = fit_scaling(kind, *simulate(seed=5, slope=2, bias=0.5, number=300))
    saved = Calibration(protocol="coco", choices="0", num_detections=300, scaling=scaling)
    found = Calibration.model_validate(json.loads(saved.model_dump_json()))
    assert found == saved
    assert type(found.scaling) is type(scaling)


def test_operating_scores_select_the_same_detections_afterwards() -> None:
    scores, is_right = simulate(seed=6, slope=2, bias=0.5, number=300)
    scaling = fit_scaling("temperature", scores, is_right)
    calibration = Calibration(protocol="coco", choices="0", num_detections=300, scaling=scaling)
    common, of_car = float(scores[10]), float(scores[20])
    known = OperatingScores(
        protocol="coco", choices="0", ranking="joint", common=common, per_class={"car": of_car}
    )
    found = calibration.operating_scores(known)
    assert found is not None
    scaled = calibration.apply(scores)
    np.testing.assert_array_equal(scaled >= found.common, scores >= common)
    np.testing.assert_array_equal(scaled >= found.of_class("car"), scores >= of_car)
    by_class = known.model_copy(update={"ranking": "class"})
    assert calibration.operating_scores(by_class) is by_class
    assert calibration.operating_scores(None) is None


@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "temperature", "temperature": 0},
        {"kind": "platt", "slope": -1, "bias": 0},
        {"kind": "isotonic", "scores": [0.2, 0.1], "shares": [0, 1]},
        {"kind": "isotonic", "scores": [0.1], "shares": [0, 1]},
    ],
)
def test_scalings_that_would_change_the_order_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Scaling.model_validate(settings)
