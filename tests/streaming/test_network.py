"""Streams over UDP and TCP."""

import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from tests.streaming.moving import HEIGHT, WIDTH, moving, results, stream, together
from tests.streaming.streams import Table, parts

from etram_pipeline.core.errors import SourceError
from etram_pipeline.streaming.chunks import NEW_CLOCK, Chunk
from etram_pipeline.streaming.sources.tcp import MOST_SILENT, TcpSource, send_tcp
from etram_pipeline.streaming.sources.udp import UdpSource, send_udp
from etram_pipeline.streaming.sources.wire import (
    EVENT_DTYPE,
    Header,
    packets_of,
)

pytestmark = pytest.mark.timeout(120)

SIZE = (HEIGHT, WIDTH)


def datagrams(chunks: Iterable[Chunk], most_events: int = 500) -> list[bytes]:
    return list(packets_of(chunks, SIZE, most_events))


def deliver(source: UdpSource, packets: Iterable[bytes]) -> list[Chunk]:
    """What a source tells of these packets, which all fit into its room."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outlet:
        for packet in packets:
            outlet.sendto(packet, ("127.0.0.1", source.port))
    return list(source)


def events_of(chunks: Iterable[Chunk]) -> Table:
    return np.concatenate([chunk for chunk in chunks if isinstance(chunk, np.ndarray)])


def as_sent(events: Table) -> Table:
    sent = np.zeros(len(events), EVENT_DTYPE)
    for name in "txyp":
        sent[name] = events[name]
    sent["x"][events["x"] < 0] = 65_535
    return sent


def test_a_stream_arrives_by_udp(tmp_path: Path) -> None:
    events = moving(300_000)
    source = UdpSource(0)

    found = deliver(source, datagrams([*parts(events, [700, 0, 900]), 400_000]))

    assert source.size == SIZE
    np.testing.assert_array_equal(events_of(found), as_sent(events))
    assert found[-1] == 400_000
    assert source.counts.packets == len(datagrams([*parts(events, [700, 0, 900]), 400_000]))
    np.testing.assert_array_equal(
        together(results(stream(tmp_path), found)),
        together(results(stream(tmp_path), [events, 400_000])),
    )


def test_lost_reordered_and_repeated_packets_are_counted() -> None:
    events = moving(100_000)
    packets = datagrams(parts(events, [200] * 20), most_events=200)
    chosen = [packets[number] for number in (0, 1, 4, 3, 3, 4, 7)] + packets[8:]
    source = UdpSource(0)

    found = deliver(source, chosen)

    counts = source.counts
    assert (counts.lost, counts.reordered, counts.repeated) == (3, 1, 2)
    assert counts.packets == len(packets) - 3
    assert len(events_of(found)) == len(events) - 3 * 200


def test_foreign_and_truncated_packets_are_left_out() -> None:
    first, second, end = datagrams(np.array_split(moving(10_000), 2))
    other, *_ = datagrams([moving(10_000)])
    newer = b"ETEV\x02" + first[5:]
    source = UdpSource(0)

    found = deliver(
        source, [b"", b"hello", newer, first, other, second[:-1], second + b"x", second[:20], end]
    )

    np.testing.assert_array_equal(events_of(found), as_sent(moving(10_000)[:100]))
    counts = source.counts
    assert (counts.foreign, counts.truncated, counts.packets) == (5, 2, 2)


def test_another_sender_takes_over_when_the_first_is_quiet() -> None:
    one, other = datagrams([moving(10_000)]), datagrams([moving(20_000)])
    times = iter([0.0, 0.5, 1.4, 2.6, 2.7, 2.8])
    source = UdpSource(0, clock=lambda: next(times))

    found = deliver(source, [one[0], other[0], one[0], other[0], one[0], other[-1]])

    assert [len(chunk) for chunk in found if isinstance(chunk, np.ndarray)] == [200, 400]
    assert [chunk for chunk in found if isinstance(chunk, str)] == [NEW_CLOCK]
    assert (source.counts.reconnects, source.counts.foreign) == (1, 2)
    assert source.counts.repeated == 1


def in_background(send: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("make", "send"), [(UdpSource, send_udp), (TcpSource, send_tcp)], ids=["udp", "tcp"]
)
def test_a_stream_is_sent_and_received(
    make: type[UdpSource | TcpSource], send: Callable[..., int]
) -> None:
    events = moving(50_000)
    source = make(0)
    chunks = [events[:600], 30_000, NEW_CLOCK, events[600:]]

    sender = in_background(lambda: send(chunks, source.port, size=SIZE))
    found = list(source)
    sender.join()

    np.testing.assert_array_equal(events_of(found), as_sent(events))
    assert [chunk for chunk in found if not isinstance(chunk, np.ndarray)] == [30_000, NEW_CLOCK]
    assert source.size == SIZE
    assert list(source) == []


def test_a_sender_by_tcp_may_go_and_another_come() -> None:
    first, *_ = datagrams([moving(10_000)])
    source = TcpSource(0)
    address = ("127.0.0.1", source.port)

    def send() -> None:
        with socket.create_connection(address) as outlet:
            outlet.sendall(first[:40])
        with socket.create_connection(address) as outlet:
            outlet.sendall(b"GET / HTTP/1.1\r\n" + bytes(60))
        with socket.create_connection(address) as outlet:
            outlet.sendall(first)
        send_tcp([moving(20_000)], source.port)

    sender = in_background(send)
    found = list(source)
    sender.join()

    assert [len(chunk) for chunk in found if isinstance(chunk, np.ndarray)] == [200, 400]
    assert [chunk for chunk in found if isinstance(chunk, str)] == [NEW_CLOCK]
    counts = source.counts
    assert (counts.foreign, counts.truncated, counts.reconnects) == (1, 1, 1)


def test_a_header_that_promises_too_much_is_foreign() -> None:
    source = TcpSource(0)

    def send() -> None:
        with socket.create_connection(("127.0.0.1", source.port)) as outlet:
            outlet.sendall(Header(SIZE, 1, 0, 2**32 - 1).pack())
        send_tcp([], source.port)

    sender = in_background(send)
    assert list(source) == []
    sender.join()
    assert source.counts.foreign == 1


@pytest.mark.parametrize("make", [UdpSource, TcpSource])
def test_a_source_that_hears_nothing_can_be_closed(make: type[UdpSource | TcpSource]) -> None:
    source = make(0)
    found: list[Chunk] = []
    reader = in_background(lambda: found.extend(source))

    source.close()
    reader.join(60)

    assert not reader.is_alive()
    assert found == []


@pytest.mark.parametrize("make", [UdpSource, TcpSource])
def test_the_size_must_be_told(make: type[UdpSource | TcpSource]) -> None:
    given_size = make(0, size=(3, 4))
    assert given_size.size == (3, 4)
    given_size.close()
    source = make(0)
    send = {UdpSource: send_udp, TcpSource: send_tcp}[make]

    sender = in_background(lambda: send([moving(1000)], source.port))
    with pytest.raises(SourceError, match="no packet told the size"):
        _ = source.size
    sender.join()
    assert len(list(source)) == 1


@pytest.mark.parametrize("make", [UdpSource, TcpSource])
def test_a_port_that_is_taken_is_an_error(make: type[UdpSource | TcpSource]) -> None:
    first = make(0)

    with pytest.raises(SourceError, match=rf":{first.port} .*choose another port"):
        make(first.port)
    first.close()


def test_whoever_is_silent_keeps_no_sender_of_tcp_out() -> None:
    source, events = TcpSource(0), moving(50_000)
    found: list[Chunk] = []
    reader = threading.Thread(target=lambda: found.extend(source))
    reader.start()
    with ExitStack() as connections:
        for _ in range(MOST_SILENT + 1):
            connections.enter_context(socket.create_connection(("127.0.0.1", source.port)))
        send_tcp([events], source.port)
        reader.join()
    np.testing.assert_array_equal(events_of(found), as_sent(events))
    assert (source.counts.foreign, source.counts.truncated) == (0, 0)
