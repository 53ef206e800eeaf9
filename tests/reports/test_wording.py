"""Protocols and numbers in words."""

import pytest

from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.protocols import NAMED
from etram_pipeline.reports.wording import area_text, number_text, protocol_facts


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "\N{MINUS SIGN}"),
        (1234567, "1,234,567"),
        (0.12349, "0.123"),
        (2.5e6, "2,500,000"),
        (True, "yes"),
        (False, "no"),
        ("car", "car"),
    ],
)
def test_numbers_are_written_for_readers(value: object, text: str) -> None:
    assert number_text(value) == text


def test_protocols_of_different_choices_are_told_apart_by_their_facts() -> None:
    facts = {name: protocol_facts(protocol) for name, protocol in NAMED.items()}
    for name, protocol in NAMED.items():
        for other, compared in NAMED.items():
            assert (facts[name] == facts[other]) == protocol.same_as(compared), (name, other)


def test_what_a_protocol_leaves_out_is_said() -> None:
    text = " ".join(protocol_facts(NAMED["etram_fork"]))
    for fact in (
        "Class-agnostic",
        "Only class ids 0 to 2 count",
        "a side under 10 px or a diagonal under 30 px",
        "0.5 times the sensor's resolution",
        "every detection within 50 ms",
        "The first 0.5 s of each recording do not count",
        "class probability alone",
        "10 IoU thresholds from 0.5 to 0.95",
    ):
        assert fact in text


def test_what_a_protocol_keeps_is_said() -> None:
    text = " ".join(protocol_facts(Protocol(name="all", frames="all")))
    for fact in ("Class-aware", "Boxes of any size count", "nearest moment, within 25 ms",
                 "far from every labelled moment count as false", "joint confidence"):  # fmt: skip
        assert fact in text
    assert "do not count" not in text


def test_gathered_classes_are_listed() -> None:
    assert "Class vehicle gathers car, bus, truck, tram." in protocol_facts(NAMED["etram_3class"])


def test_area_ranges_of_a_protocol_are_squares() -> None:
    ranges = {"tiny": (0.0, 100.0), "rest": (100.0, 1e10)}
    protocol = Protocol(name="mine", area_ranges=ranges)
    assert [area_text(protocol, size) for size in ranges] == ["up to 10² px", "over 10² px"]


def test_a_latency_takes_the_place_of_the_time_that_is_compared() -> None:
    text = " ".join(protocol_facts(Protocol(name="live", latency_ms=(40, 60), start_us=500_000)))
    assert "newest boxes that a viewer has at its time, if a window takes 50 ms to compute" in text
    assert "The first 0.5 s of each recording do not count" in text
    assert "nearest moment" not in text
    assert "at other times" not in text
