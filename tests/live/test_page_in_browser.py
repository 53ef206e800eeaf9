"""What a browser shows of a stream."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.live.chromium import Tab, browser, needs_browser
from tests.live.shown import BOX, STAGE, window

from etram_pipeline.drawing import palette
from etram_pipeline.live.page import Page
from etram_pipeline.live.page_access import Address

pytestmark = needs_browser

SHOWS = "typeof shown === 'object' && shown && shown.window.t === {}"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """A tab of one browser for all tests."""
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture
def page() -> Iterator[Page]:
    """A server on a free port."""
    served = Page(Address("127.0.0.1", 0), STAGE)
    yield served
    served.close()


def texts(tab: Tab, *names: str) -> list[str]:
    """What the fields of the page say."""
    return [str(tab.value(f"document.getElementById('{name}').textContent")) for name in names]


def test_boxes_are_drawn_over_events_and_counted(tab: Tab, page: Page) -> None:
    tab.open(f"http://{page.address}/")
    tab.wait("typeof stage === 'object' && stage")
    page.show(window(1, BOX, skipped=2))
    tab.wait(SHOWS.format(50_000))
    assert texts(tab, "source", "detector", "state") == ["street.raw", "detector.onnx", "live"]
    assert texts(tab, "time", "latency", "boxes", "skipped") == ["0.05 s", "40 ms", "1", "2"]
    assert tab.value("[...document.querySelectorAll('li')].map((each) => each.textContent)") == [
        "car",
        "tram1",
    ]
    pixel = "[...pen.getImageData({x} * canvas.width / 64, {y} * canvas.width / 64, 1, 1).data]"
    for x, y, colour in (
        (20, 26, palette.class_colour(1)),  # the lower side of the box
        (3, 5, palette.ON),
        (5, 5, palette.OFF),
        (50, 5, palette.NO_EVENTS),
    ):
        found = tab.value(pixel.format(x=x, y=y))
        assert found[:3] == pytest.approx(list(palette.rgb(colour)), abs=2), colour


def test_the_page_connects_again_when_the_server_is_back(tab: Tab) -> None:
    first = Page(Address("127.0.0.1", 0), STAGE)
    try:
        tab.open(f"http://{first.address}/")
        tab.wait("typeof stage === 'object' && stage")
        first.show(window(7))
        tab.wait(SHOWS.format(350_000))
    finally:
        first.close()
    tab.wait("document.getElementById('state').textContent.startsWith('not connected')")
    second = Page(first.address, STAGE)
    try:
        tab.wait("document.getElementById('state').textContent === 'live'")
        second.show(window(1))
        tab.wait(SHOWS.format(50_000))
        assert texts(tab, "missed") == ["0"]
    finally:
        second.close()


@pytest.mark.parametrize("is_dark", [False, True])
def test_a_phone_shows_it_without_scrolling_sideways(
    tab: Tab,
    page: Page,
    is_dark: bool,  # noqa: FBT001
    tmp_path: Path,
) -> None:
    tab.open(f"http://{page.address}/", 390, 844, dark=is_dark)
    tab.wait("typeof stage === 'object' && stage")
    page.show(window(1, BOX))
    tab.wait(SHOWS.format(50_000))
    assert tab.value("document.documentElement.scrollWidth <= innerWidth")
    assert tab.value("canvas.clientWidth > 0.9 * innerWidth")
    background = tab.value("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(10, 14, 21)" if is_dark else "rgb(244, 246, 250)")
    tab.picture(tmp_path / "phone.png")
    assert (tmp_path / "phone.png").stat().st_size > 5_000
