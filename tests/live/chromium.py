"""A browser that is asked, over its own socket, what it shows."""

import base64
import itertools
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium")

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")

_LIMIT_S = 120
"""More than a busy machine takes; nothing waits for it when all is well."""


class Tab:
    """A tab of a browser, by Chromium's DevTools protocol."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._numbers = socket, itertools.count(1)
        target = self._ask("Target.createTarget", {"url": "about:blank"})["targetId"]
        attached = self._ask("Target.attachToTarget", {"targetId": target, "flatten": True})
        self._session: str = attached["sessionId"]

    def open(self, url: str, width: int = 1280, height: int = 900, *, dark: bool = False) -> None:
        """Open an address in a window of that size."""
        self.do("Emulation.setDeviceMetricsOverride", width=width, height=height,
                deviceScaleFactor=1, mobile=width < height)  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.do("Emulation.setEmulatedMedia", features=[scheme])
        self.do("Page.navigate", url=url)

    def do(self, command: str, **parameters: object) -> dict[str, Any]:
        """The answer to a command."""
        return self._ask(command, parameters, self._session)

    def value(self, expression: str) -> Any:  # noqa: ANN401  # whatever JSON holds
        """Value of an expression, or of its promise."""
        done = self.do("Runtime.evaluate", expression=expression, awaitPromise=True,
                       returnByValue=True)  # fmt: skip
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until a condition is true, which the page looks at in each of its frames."""
        self.value(
            "new Promise((done) => { const look = () => "
            f"({{}}, {condition}) ? done(true) : requestAnimationFrame(look); look(); }})"
        )

    def picture(self, path: Path) -> None:
        """Save a picture of the page."""
        path.write_bytes(base64.b64decode(self.do("Page.captureScreenshot")["data"]))

    def _ask(self, command: str, parameters: object, session: str = "") -> dict[str, Any]:
        number = next(self._numbers)
        message = {"id": number, "method": command, "params": parameters}
        self._socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        while True:
            answer = json.loads(self._socket.recv(timeout=_LIMIT_S))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result


@contextmanager
def browser(folder: Path) -> Iterator[Tab]:
    """A tab of a browser that ends afterwards."""
    command = [
        str(CHROMIUM),
        "--headless",
        "--no-sandbox",
        "--disable-background-networking",
        "--remote-debugging-port=0",
        f"--user-data-dir={folder / 'profile'}",
        "about:blank",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        try:
            lines = (line.strip() for line in process.stderr)
            said = next(line for line in lines if "DevTools listening on " in line)
            with connect(said.split(" on ")[1], max_size=None) as socket:
                yield Tab(socket)
        finally:
            process.terminate()
