"""Where the page is served, and which browsers may read it."""

import socket

import pytest

from etram_pipeline.core.errors import SettingsError
from etram_pipeline.live.page_access import Address, may_read, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("8700", Address("127.0.0.1", 8700)),
        ("0.0.0.0:8700", Address("0.0.0.0", 8700)),
        ("camera.local:80", Address("camera.local", 80)),
        ("[::1]:8700", Address("::1", 8700)),
    ],
)
def test_a_port_is_of_this_computer_unless_a_host_is_given(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "page", "localhost:", ":8700", "8700x", "70000", "a:b"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="is no place for a page: give a port such as 8700"):
        parse_address(text)


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("pc", False)],
)
def test_loopback_is_known(host: str, is_loopback: bool) -> None:  # noqa: FBT001
    assert Address(host, 80).is_loopback is is_loopback


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8700", "[::1]:8700", "localhost", "192.168.1.7:8700", socket.gethostname()]
)
def test_the_page_may_be_read_by_addresses_and_names_of_this_computer(host: str) -> None:
    assert may_read(host, None)
    assert may_read(host, f"http://{host}")
    assert not may_read(host, "https://evil.example")


@pytest.mark.parametrize("host", [None, "", "evil.example:8700", "127.0.0.1.evil.example", "[::1"])
def test_foreign_and_broken_names_are_refused(host: str | None) -> None:
    assert not may_read(host, None)
    assert not may_read(host, f"http://{host}")
