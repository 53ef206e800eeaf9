"""Lines for recordings of which nobody has drawn any."""

import numpy as np

from etram_pipeline.traffic.default_sites import border_site, grid_site
from etram_pipeline.traffic.site import Line


def right_hand(line: Line) -> np.ndarray:
    """Direction to the right hand of the way along a line, in a picture whose rows go down."""
    (x0, y0), (x1, y1) = line.points
    return np.sign([-(y1 - y0), x1 - x0])


def test_lines_of_the_border_lie_8_percent_inside_and_lead_in() -> None:
    site = border_site(1280, 720)
    assert {name: line.points for name, line in site.lines.items()} == {
        "left": ((102.4, 662.4), (102.4, 57.6)),
        "top": ((102.4, 57.6), (1177.6, 57.6)),
        "right": ((1177.6, 57.6), (1177.6, 662.4)),
        "bottom": ((1177.6, 662.4), (102.4, 662.4)),
    }
    inward = {name: right_hand(line).tolist() for name, line in site.lines.items()}
    assert inward == {"left": [1, 0], "top": [0, 1], "right": [-1, 0], "bottom": [0, -1]}
    assert {(line.forward, line.backward) for line in site.lines.values()} == {("in", "out")}


def test_grid_crosses_the_whole_sensor_and_names_directions_as_seen() -> None:
    site = grid_site(304, 240)
    upright = [line for name, line in site.lines.items() if name.startswith("upright")]
    level = [line for name, line in site.lines.items() if name.startswith("level")]
    assert [line.points for line in upright] == [((x, 240), (x, 0)) for x in (76, 152, 228)]
    assert [line.points for line in level] == [((0, y), (304, y)) for y in (80, 160)]
    assert {tuple(right_hand(line)) for line in upright} == {(1, 0)}
    assert {tuple(right_hand(line)) for line in level} == {(0, 1)}
    assert {line.forward for line in upright} == {"right"}
    assert {line.forward for line in level} == {"down"}
