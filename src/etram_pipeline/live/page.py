"""Boxes over events in a browser: a small server of one page and its socket."""

import asyncio
import json
import logging
import struct
import threading
from contextlib import suppress
from functools import cached_property
from http import HTTPStatus
from importlib.resources import files
from typing import TYPE_CHECKING

from typing_extensions import override

from etram_pipeline.core.errors import SettingsError
from etram_pipeline.drawing import palette
from etram_pipeline.live.brightness import Brightness
from etram_pipeline.live.output import Output
from etram_pipeline.live.page_access import Address, may_read
from etram_pipeline.live.picture import events_png
from etram_pipeline.live.stage import Stage
from etram_pipeline.live.window import ShownWindow

if TYPE_CHECKING:
    from websockets.asyncio.server import Server, ServerConnection
    from websockets.http11 import Request, Response

SOCKET = "/socket"
"""Path of the socket; `/` is the page, and there is nothing else."""

MOST_VIEWERS = 16

_ON_THE_WAY = 2
"""Windows sent to a browser that it has not shown yet; further ones wait, and only the newest."""

_LONGEST_ANSWER = 256
"""Bytes of a message of a browser, which only counts what it has shown."""

_GOODBYE_S = 1.0

_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
        "connect-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_silent = logging.getLogger(f"{__name__}.connections")
_silent.disabled = True  # a browser that sends nonsense is none of the reader's concern


class Page(Output):
    """Serves the page and sends windows to the browsers that show it.

    Everything happens in a thread of its own, which takes the newest window when a browser is ready
    for it: a slow browser misses windows, and neither others nor the detector wait for it.

    A window is one binary message: the length of the JSON as 4 bytes (little-endian), the JSON of
    `WindowLine` with the number of the window, and a PNG of its events. The browser answers each
    one that it has shown with any text.

    Attributes:
        address: Where it listens, with the port that was chosen.
        num_viewers: Browsers that are connected.
    """

    def __init__(self, address: Address, stage: Stage) -> None:
        """Start to listen.

        Args:
            address: Where to.
            stage: What is shown beside the windows.

        Raises:
            SettingsError: If the package `websockets` is not installed, or nothing can listen
                there.
        """
        self._greeting = _greeting(stage)
        self._page = files(__package__).joinpath("page.html").read_text("utf-8")
        self._viewers: set[_Viewer] = set()
        self._brightness = Brightness()
        self._newest = _Message(None, self._brightness, 0)
        self._loop = asyncio.new_event_loop()
        try:
            self._server = self._loop.run_until_complete(self._listen(address))
        except BaseException:
            self._loop.close()
            raise
        port = self._server.sockets[0].getsockname()[1]
        self.address = Address(address.host, port)
        self._thread = threading.Thread(target=self._loop.run_forever, name="page", daemon=True)
        self._thread.start()

    @property
    def num_viewers(self) -> int:
        """Browsers that are connected."""
        return len(self._viewers)

    @override
    def show(self, window: ShownWindow) -> None:
        self._loop.call_soon_threadsafe(self._publish, window)

    @override
    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self, address: Address) -> "Server":
        try:
            from websockets.asyncio.server import serve
        except ModuleNotFoundError as error:
            raise SettingsError(
                "--page needs the package websockets: pip install websockets"
            ) from error
        try:
            return await serve(
                self._talk,
                address.host,
                address.port,
                process_request=self._answer,
                compression=None,  # a PNG is compressed
                max_size=_LONGEST_ANSWER,
                close_timeout=_GOODBYE_S,
                logger=_silent,
            )
        except OSError as error:
            reason = error.strerror or str(error)
            raise SettingsError(
                f"the page cannot listen at {address} ({reason}): give another port"
            ) from error

    async def _stop(self) -> None:
        self._server.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._server.wait_closed(), _GOODBYE_S)
        # Browsers hold spare connections ready, on which they have said nothing yet.
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _answer(self, connection: "ServerConnection", request: "Request") -> "Response | None":
        """The page, a refusal, or None to go on with the socket."""
        headers = request.headers
        path = request.path.partition("?")[0]
        if not may_read(headers.get("Host"), headers.get("Origin")):
            return connection.respond(HTTPStatus.FORBIDDEN, "open the page by its own address\n")
        if path == "/":
            response = connection.respond(HTTPStatus.OK, self._page)
            for name, value in _HEADERS.items():
                response.headers.pop(name, None)
                response.headers[name] = value
            return response
        if path != SOCKET:
            return connection.respond(HTTPStatus.NOT_FOUND, "there is only the page\n")
        if len(self._viewers) >= MOST_VIEWERS:
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "too many viewers\n")
        return None

    def _publish(self, window: ShownWindow) -> None:
        number = self._newest.number + 1
        self._newest = _Message(window, self._brightness, number)
        for viewer in self._viewers:
            viewer.changed.set()

    async def _talk(self, connection: "ServerConnection") -> None:
        viewer = _Viewer()
        self._viewers.add(viewer)
        sending = asyncio.create_task(self._send_all(connection, viewer))
        try:
            # This ends with the connection, whatever the other task waits for.
            async for _answer in connection:
                viewer.answered()
        finally:
            self._viewers.discard(viewer)
            sending.cancel()

    async def _send_all(self, connection: "ServerConnection", viewer: "_Viewer") -> None:
        from websockets.exceptions import ConnectionClosed

        with suppress(ConnectionClosed):
            await connection.send(self._greeting)
            while True:
                await viewer.may_send()
                await connection.send(self._newest.content)


class _Message:
    """A window as it is sent; made once, when the first browser is ready for it."""

    def __init__(self, window: ShownWindow | None, brightness: Brightness, number: int) -> None:
        self.number = number
        self._window, self._brightness = window, brightness

    @cached_property
    def content(self) -> bytes:
        """The binary message that `Page` describes."""
        window = self._window
        if window is None:
            return b""
        picture = b""
        if window.frame is not None:
            picture = events_png(window.frame, self._brightness.of(window.frame))
        told = f'{{"number":{self.number},"window":{window.line.model_dump_json()}}}'.encode()
        return struct.pack("<I", len(told)) + told + picture


class _Viewer:
    """One browser: what it was sent and has not shown yet."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._on_the_way = 0

    async def may_send(self) -> None:
        """Wait until there is a window that the browser has not got, and it has room for one."""
        await self._has_room.wait()
        await self.changed.wait()
        self.changed.clear()
        self._count(1)

    def answered(self) -> None:
        """Note that it has shown a window; answers beyond what was sent count for nothing."""
        self._count(-1)

    def _count(self, more: int) -> None:
        self._on_the_way = max(self._on_the_way + more, 0)
        if self._on_the_way < _ON_THE_WAY:
            self._has_room.set()
        else:
            self._has_room.clear()


def _greeting(stage: Stage) -> str:
    """What a browser is told first."""
    height, width = stage.size
    classes = [
        {
            "name": name,
            "colour": palette.class_colour(class_id),
            "ink": palette.readable_ink(palette.class_colour(class_id)),
        }
        for class_id, name in enumerate(stage.class_names)
    ]
    told = {"detector": stage.detector, "source": stage.source, "width": width, "height": height}
    return json.dumps({**told, "classes": classes})
