"""Texts on the page on which sites are drawn."""

from pathlib import Path

import pytest
from tests.reports.traffic.browser import needs_browser, use
from tests.reports.traffic.test_site_page import DRAWN, read, write

from etram_pipeline.traffic.site import Line

ODD_NAMES = (
    "a: b",
    'it\'s "north"',
    "#1 {x} [y], *z &a !b %c @d `e`",
    "- dash",
    "yes",
    "</script><b>",
    "back\\slash",
    "Straße 東 🚦",
    "no\xa0break\ufeff",
)


@needs_browser
def test_a_site_survives_the_page_whatever_its_names_are(tmp_path: Path) -> None:
    line = Line(points=((1, 2), (3.25, 40)), forward=ODD_NAMES[0], backward=ODD_NAMES[1])
    site = DRAWN.model_copy(
        update={
            "lines": dict.fromkeys(ODD_NAMES, line),
            "ignore": {f"not {name}": DRAWN.zones["queue"] for name in ODD_NAMES},
        }
    )
    found = read(use(write(site), "return save();", tmp_path))
    assert found == site
    assert tuple(found.lines) == ODD_NAMES


@needs_browser
@pytest.mark.parametrize("width", [1280, 500])
def test_texts_of_both_directions_can_be_read_and_lie_within_the_picture(
    tmp_path: Path, width: int
) -> None:
    ends = {"up": (300, 40), "left": (40, 200), "slanted": (450, 330), "border": (3, 350)}
    starts = dict.fromkeys(ends, (300, 200)) | {"border": (3, 20)}
    words = {"forward": "towards the town", "backward": "from the town"}
    for name, end in ends.items():
        site = DRAWN.model_copy(
            update={"lines": {name: Line(points=(starts[name], end), **words)}, "ground": None}
        )
        script = f"""
        const boxOf = (text) => {{
          const drawn = [...picture.querySelectorAll("text")];
          const {{x, y, width, height}} = drawn.find((each) => each.textContent === text).getBBox();
          return [x, y, x + width, y + height];
        }};
        return {list(words.values())}.map(boxOf);
        """
        boxes = use(write(site), script, tmp_path, width)
        (left, top, right, bottom), (left_2, top_2, right_2, bottom_2) = boxes
        assert min(left, left_2) >= 0
        if name != "border":  # where there is no room for both
            assert right < left_2 or right_2 < left or bottom < top_2 or bottom_2 < top
