"""The page on which sites are drawn, used in a real browser."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from tests.reports.html import Reader
from tests.reports.traffic.browser import needs_browser, use

from etram_pipeline.core.errors import SiteError
from etram_pipeline.reports.traffic.site_page import write_site_page
from etram_pipeline.traffic.site import Ground, Image, Line, Site, Zone
from etram_pipeline.traffic.site_files import read_site

COMMAND = "kedro run --pipelines count --params site=site.yml"
STILL = np.zeros((360, 640, 3), np.uint8)
DRAWN = Site(
    image=Image(width=640, height=360),
    lines={"west": Line(points=((100, 50), (100, 300)), forward="in", backward="out")},
    zones={"queue": Zone(polygon=((200, 150), (300, 150), (300, 250), (200, 250)))},
    ground=Ground(
        points_px=((50.5, 50), (600, 50), (600, 300), (50, 300)),
        points_m=((0, 0), (20, 0), (20, 10.5), (0, 10)),
    ),
)


def write(site: Site | None = None) -> str:
    return write_site_page(STILL, site, "street <b>", COMMAND)


def read(text: str) -> Site:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "site.yml"
        path.write_text(text, encoding="utf-8")
        return read_site(path)


def test_the_page_is_whole_and_needs_no_other_file() -> None:
    page = write(DRAWN)
    reader = Reader(page)
    assert all(address.startswith(("#", "data:")) for address in reader.addresses)
    assert COMMAND in page
    assert "street &lt;b&gt;" in page


def test_names_cannot_leave_the_data_of_the_page() -> None:
    site = DRAWN.model_copy(update={"zones": {"</script><b>": DRAWN.zones["queue"]}})
    assert "</script><b>" not in write(site)


def test_a_site_of_another_sensor_is_refused() -> None:
    with pytest.raises(SiteError, match="640 x 360 px, but the sensor has 320 x 360 px"):
        write_site_page(STILL[:, :320], DRAWN, "street", COMMAND)


@needs_browser
def test_what_is_clicked_is_what_the_saved_file_says(tmp_path: Path) -> None:
    text = use(
        write(),
        """
        take("lines");
        click([100, 50], [120, 160], [100, 300]);
        press("Done");
        fill("Name", 'north: "A"');
        fill("With the arrow (forward)", "in");
        fill("Against it (backward)", "out's");
        take("zones");
        click([200, 150], [300, 150], [300, 250], [200, 250], [200, 150]);
        fill("Name", "queue #1");
        take("ignore");
        click([400, 20], [500, 20], [450, 90]);
        press("Done");
        take("ground");
        const known = [[50, 60, 0, 0], [600, 60, 20.5, 0], [600, 340, 20, -10], [50, 340, 0, -10]];
        for (const [column, row, x, y] of known) {
          click([column, row]);
          fill("x in metres", x);
          fill("y in metres", y);
        }
        return save();
        """,
        tmp_path,
    )
    assert read(text) == Site(
        image=Image(width=640, height=360),
        lines={
            'north: "A"': Line(
                points=((100, 50), (120, 160), (100, 300)), forward="in", backward="out's"
            )
        },
        zones={"queue #1": Zone(polygon=((200, 150), (300, 150), (300, 250), (200, 250)))},
        ignore={"ignored zone 1": Zone(polygon=((400, 20), (500, 20), (450, 90)))},
        ground=Ground(
            points_px=((50, 60), (600, 60), (600, 340), (50, 340)),
            points_m=((0, 0), (20.5, 0), (20, -10), (0, -10)),
        ),
    )


@needs_browser
def test_shapes_are_moved_turned_renamed_and_deleted_and_all_is_undone(tmp_path: Path) -> None:
    found = use(
        write(DRAWN),
        """
        const files = {};
        pick("west");
        pull([100, 50], [140, 60]);
        press("Turn the arrow");
        fill("Name", "W");
        files.turned = save();
        pull([120, 180], [90, 190]);          // the circle between the two points
        files.bent = save();
        pick("queue");
        pull([250, 200], [260, 180]);         // the zone itself
        files.moved = save();
        press("Delete");
        files.deleted = save();
        for (let i = 0; i < 6; i++) press("Undo");
        files.undone = save();
        for (let i = 0; i < 3; i++) press("Redo");
        files.redone = save();
        return files;
        """,
        tmp_path,
    )
    sites = {name: read(text) for name, text in found.items()}
    turned = {"W": Line(points=((100, 300), (140, 60)), forward="in", backward="out")}
    assert sites["turned"].lines == sites["redone"].lines == turned
    assert sites["bent"].lines["W"].points == ((100, 300), (90, 190), (140, 60))
    assert sites["moved"].zones["queue"].polygon == ((210, 130), (310, 130), (310, 230), (210, 230))
    assert sites["deleted"].zones == {}
    assert sites["undone"] == DRAWN


@needs_browser
def test_a_line_is_drawn_by_keys_alone(tmp_path: Path) -> None:
    text = use(
        write(),
        """
        const picture = document.getElementById("picture");
        take("lines");
        key(picture, "Enter");
        for (let i = 0; i < 5; i++) key(picture, "ArrowRight");
        key(picture, "ArrowUp", {shiftKey: true});
        key(picture, "Enter");
        key(picture, "Enter");                // at the same place: done
        fill("Name", "by keys");
        key(document.querySelector('[data-point="1"]'), "ArrowDown", {shiftKey: true});
        return save();
        """,
        tmp_path,
    )
    assert read(text).lines["by keys"].points == ((320, 180), (370, 189))


LINE = 'take("lines"); click([10, 10], [90, 90]); press("Done");'
GROUND = """
take("ground");
for (const x of [100, 200, 300, 400].slice(0, NUMBER)) {
  click([x, 100]);
  fill("x in metres", x);
  fill("y in metres", x * x);
}
"""
REFUSED = {
    "crosses itself": """
        take("zones"); click([100, 100], [200, 200], [200, 100], [100, 200]); press("Done");
    """,
    "line 1: crosses itself": """
        take("lines"); click([100, 100], [200, 200], [200, 100], [100, 200]); press("Done");
    """,
    "has the name of another one": f"""
        {LINE} fill("Name", "A");
        take("zones"); click([200, 200], [300, 200], [300, 300]); press("Done"); fill("Name", "A");
    """,
    "has no name": f'{LINE} fill("Name", " ");',
    "both directions are called": f'{LINE} fill("Against it (backward)", "forward");',
    "a name with more than 64 characters": f'{LINE} fill("Name", "n".repeat(65));',
    "a direction with control characters": f'{LINE} fill("Against it (backward)", "a\\u2028b");',
    "rename it: tables use this name": f'{LINE} fill("Name", "unknown");',
    "point 1 lies off the picture": f'{LINE} fill("1 x", "-40");',
    "same point twice": f'{LINE} fill("1 x", "90"); fill("1 y", "90");',
    "has no place in metres": 'take("ground"); click([10, 10]);',
    "need 4 ground points, found 3": GROUND.replace("NUMBER", "3"),
    "lie in one line on the picture": GROUND.replace("NUMBER", "4"),
    "not in the same order": """
        take("ground");
        const metres = [[0, 0], [10, 10], [10, 0], [0, 10]];
        [[50, 50], [600, 50], [600, 300], [50, 300]].forEach((place, i) => {
          click(place);
          fill("x in metres", metres[i][0]);
          fill("y in metres", metres[i][1]);
        });
    """,
}


@needs_browser
def test_what_cannot_be_read_is_not_saved(tmp_path: Path) -> None:
    tries = "".join(
        f"{{ wipe(); {script} found.push([save(), problems()]); }}" for script in REFUSED.values()
    )
    found = use(write(), f"const found = []; {tries} return found;", tmp_path)
    for problem, (text, problems) in zip(REFUSED, found, strict=True):
        assert text is None, problem
        assert any(problem in each for each in problems), problems


@needs_browser
def test_a_finger_keeps_what_it_touches(tmp_path: Path) -> None:
    script = """
        pick("west");
        const {clientX, clientY} = seen(100, 50);
        const handle = document.elementFromPoint(clientX, clientY);
        send("pointerdown", seen(100, 50));
        const touch = new Event("touchstart", {bubbles: true, cancelable: true});
        handle.dispatchEvent(touch);
        return [handle.dataset.point, handle.isConnected, touch.defaultPrevented];
    """
    # Else the browser scrolls instead of reporting how the finger moves.
    assert use(write(DRAWN), script, tmp_path) == ["0", True, True]


@needs_browser
def test_a_shape_with_too_few_points_is_not_finished(tmp_path: Path) -> None:
    script = """
        take("zones");
        click([100, 100], [200, 200]);
        return [document.getElementById("done").disabled, save()];
    """
    disabled, text = use(write(), script, tmp_path)
    assert disabled
    assert read(text).zones == {}


@needs_browser
def test_nothing_is_wider_than_a_phone(tmp_path: Path) -> None:
    script = 'pick("west"); return [document.documentElement.scrollWidth, innerWidth];'
    scrolled, width = use(write(DRAWN), script, tmp_path, width=420)
    assert scrolled <= width


@needs_browser
def test_the_page_refuses_exactly_what_cannot_be_read(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    image = Image(width=400, height=300)
    shapes: list[dict[str, object]] = []
    for kind, least in (("lines", 2), ("zones", 3)):
        for number in range(150):
            # On a coarse grid, where points coincide, lie in one line and sides touch.
            points = (random.integers(0, 4, (least + number % 4, 2)) * 100).tolist()
            shapes.append({"kind": kind, "name": "A", "points": points})
    grounds = [random.integers(0, 4, (2, 4 + number % 3, 2)) * 10 for number in range(150)]
    cases: list[list[dict[str, object]]] = [
        *([{**shape, "forward": "in", "backward": "out"}] for shape in shapes),
        *(
            [
                {"kind": "ground", "name": "", "points": [px], "metres": metres}
                for px, metres in zip(*ground.tolist(), strict=True)
            ]
            for ground in grounds
        ),
    ]
    script = f"return {cases}.map((shapes) => problemsOf(shapes, {image.model_dump()}).length > 0);"
    refused = use(write(), script, tmp_path)

    def is_refused(content: dict[str, object]) -> bool:
        try:
            Site.model_validate({"image": image, **content})
        except ValidationError:
            return True
        return False

    expected = [
        is_refused(
            {"lines": {"A": {"points": shape["points"]}}}
            if shape["kind"] == "lines"
            else {"zones": {"A": {"polygon": shape["points"]}}}
        )
        for shape in shapes
    ]
    expected += [
        is_refused({"ground": {"points_px": px, "points_m": metres}})
        for px, metres in (ground.tolist() for ground in grounds)
    ]
    assert refused == expected
    assert 0.2 < np.mean(expected) < 0.95
