"""What the server of the page sends, and to whom."""

import json
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection

import pytest
from tests.live.shown import BOX, STAGE, window
from websockets.exceptions import ConnectionClosedOK, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from etram_pipeline.core.errors import SettingsError
from etram_pipeline.live import page as page_module
from etram_pipeline.live.page import MOST_VIEWERS, SOCKET, Page
from etram_pipeline.live.page_access import Address
from etram_pipeline.live.window import WindowLine


@pytest.fixture
def page() -> Iterator[Page]:
    """A server on a free port."""
    served = Page(Address("127.0.0.1", 0), STAGE)
    yield served
    served.close()


@contextmanager
def viewer(page: Page) -> Iterator[ClientConnection]:
    """A browser that has been greeted."""
    with connect(f"ws://{page.address}{SOCKET}", proxy=None) as socket:
        socket.recv()
        yield socket


def number_of(message: bytes | str) -> int:
    """The number of the window of a message."""
    assert isinstance(message, bytes)
    (length,) = struct.unpack_from("<I", message)
    number: int = json.loads(message[4 : 4 + length])["number"]
    return number


def status(page: Page, path: str, **headers: str) -> int:
    """Status of the answer to a request."""
    connection = HTTPConnection(page.address.host, page.address.port)
    connection.request("GET", path, headers=headers)
    return connection.getresponse().status


def test_a_browser_is_greeted_with_what_is_the_same_in_all_windows(page: Page) -> None:
    with connect(f"ws://{page.address}{SOCKET}", proxy=None) as socket:
        told = json.loads(socket.recv())
    assert {name: told[name] for name in ("detector", "source", "width", "height")} == {
        "detector": "detector.onnx",
        "source": "street.raw",
        "width": 64,
        "height": 40,
    }
    assert [each["name"] for each in told["classes"]] == ["car", "tram"]


def test_a_window_is_one_message_of_its_boxes_and_a_picture(page: Page) -> None:
    with viewer(page) as socket:
        page.show(window(1, BOX))
        message = socket.recv()
    assert isinstance(message, bytes)
    (length,) = struct.unpack_from("<I", message)
    told = json.loads(message[4 : 4 + length])
    assert told["number"] == 1
    assert WindowLine.model_validate(told["window"]) == window(1, BOX).line
    assert message[4 + length :].startswith(b"\x89PNG")


def test_a_browser_that_does_not_answer_gets_the_newest_window_when_it_does(page: Page) -> None:
    with viewer(page) as socket:
        for number in (1, 2):
            page.show(window(number))
            assert number_of(socket.recv()) == number
        for number in range(3, 101):
            page.show(window(number))
        socket.send("shown")
        assert number_of(socket.recv()) == 100


def test_a_browser_that_reads_nothing_holds_up_no_other(page: Page) -> None:
    with viewer(page), viewer(page) as quick:
        for number in range(1, 41):
            page.show(window(number))
            assert number_of(quick.recv()) == number
            quick.send("shown")


def test_answers_to_nothing_do_not_make_room_for_more(page: Page) -> None:
    with viewer(page) as socket:
        for _ in range(50):
            socket.send("shown")
        socket.ping().wait()
        for number in (1, 2):
            page.show(window(number))
            assert number_of(socket.recv()) == number
        page.show(window(3))
        page.show(window(4))
        socket.send("shown")
        assert number_of(socket.recv()) == 4


def test_the_end_of_the_program_is_told() -> None:
    other = Page(Address("127.0.0.1", 0), STAGE)
    with viewer(other) as socket:
        other.close()
        with pytest.raises(ConnectionClosedOK):
            socket.recv()


def test_a_connection_on_which_nothing_was_said_does_not_delay_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(page_module, "_GOODBYE_S", 0.01)
    other = Page(Address("127.0.0.1", 0), STAGE)
    with socket.create_connection((other.address.host, other.address.port)):
        assert status(other, "/") == 200  # by now the other connection is known, too
        start_s = time.perf_counter()
        other.close()
        took_s = time.perf_counter() - start_s
    assert took_s < 9, "less than the 10 s for which websockets waits for a first request"
    assert caplog.text == ""


def test_the_page_needs_nothing_from_elsewhere(page: Page) -> None:
    connection = HTTPConnection(page.address.host, page.address.port)
    connection.request("GET", "/")
    answer = connection.getresponse()
    text = answer.read().decode()
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "connect-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "<title>etram-live</title>" in text
    assert "https:" not in text
    assert "http:" not in text


@pytest.mark.parametrize("path", ["/page.html", "/../../etc/passwd", "/%2e%2e/page.py", "//"])
def test_there_is_nothing_but_the_page(page: Page, path: str) -> None:
    assert status(page, path) == 404


@pytest.mark.parametrize("path", ["/", SOCKET])
def test_a_foreign_name_for_this_computer_is_refused(page: Page, path: str) -> None:
    assert status(page, path, Host=f"evil.example:{page.address.port}") == 403


def test_pages_of_other_sites_cannot_connect(page: Page) -> None:
    url = f"ws://{page.address}{SOCKET}"
    evil, own = Origin("https://evil.example"), Origin(f"http://{page.address}")
    with pytest.raises(InvalidStatus, match="403"), connect(url, origin=evil, proxy=None):
        pass
    with connect(url, origin=own, proxy=None) as socket:
        assert socket.recv()


def test_there_are_not_too_many_viewers(page: Page) -> None:
    with ExitStack() as viewers:
        for _ in range(MOST_VIEWERS):
            viewers.enter_context(viewer(page))
        with pytest.raises(InvalidStatus, match="503"), viewer(page):
            pass


def test_a_long_message_of_a_browser_ends_its_connection_alone(page: Page) -> None:
    with viewer(page) as rude, viewer(page) as other:
        rude.send("x" * 100_000)
        page.show(window(1))
        assert number_of(other.recv()) == 1


def test_a_port_that_is_taken_is_said_to_be(page: Page) -> None:
    with pytest.raises(SettingsError, match=f"cannot listen at {page.address} .*another port"):
        Page(page.address, STAGE)
