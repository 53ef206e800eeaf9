"""Colours."""

import itertools

import numpy as np
import pytest

from etram_pipeline.drawing import palette

# Linear RGB as dichromats see it. Source: Machado et al., "A Physiologically-based Model for
# Simulation of Color Vision Deficiency", 2009, severity 1.0.
VISIONS = {
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
               [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
               [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
               [0.004733, 0.691367, 0.303900]],
}  # fmt: skip


def _linear(colour: str) -> np.ndarray:
    value = np.array(palette.rgb(colour)) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def _cielab(linear_rgb: np.ndarray) -> np.ndarray:
    to_xyz = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
         [0.0193339, 0.1191920, 0.9503041]]
    )  # fmt: skip
    xyz = to_xyz @ linear_rgb.clip(0, 1) / np.array([0.95047, 1, 1.08883])
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", VISIONS)
def test_classes_look_different_to_every_kind_of_colour_vision(vision: str) -> None:
    seen = [_cielab(VISIONS[vision] @ _linear(colour)) for colour in palette.CLASS_COLOURS]
    distances = [np.linalg.norm(one - other) for one, other in itertools.combinations(seen, 2)]
    assert min(distances) >= 24.5


def test_colours_repeat_after_the_last_class_that_has_its_own() -> None:
    assert palette.class_colours([0, 8, 1]) == (
        palette.CLASS_COLOURS[0],
        palette.CLASS_COLOURS[0],
        palette.CLASS_COLOURS[1],
    )


@pytest.mark.parametrize("colour", [*palette.CLASS_COLOURS, "#000000", "#ffffff"])
def test_text_on_a_colour_has_the_contrast_that_wcag_asks_of_large_text(colour: str) -> None:
    def luminance(text: str) -> float:
        return float(np.dot([0.2126, 0.7152, 0.0722], _linear(text)))

    low, high = sorted([luminance(colour), luminance(palette.readable_ink(colour))])
    assert (high + 0.05) / (low + 0.05) >= 3
