"""Pages in a real browser: what a script finds on them after it has used them."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium")

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")

_RUN = """
function run() {
  %s
}
const done = document.createElement("pre");
done.id = "result";
try {
  done.textContent = JSON.stringify(run());
} catch (error) {
  done.textContent = JSON.stringify({failed: String(error.stack)});
}
document.body.append(done);
"""

HANDS = (Path(__file__).parent / "hands.js").read_text()


def use(page: str, script: str, folder: Path, width: int = 1280) -> Any:  # noqa: ANN401  # whatever JSON holds
    """What the script returns, having used the page in a browser.

    The script ends before the page counts as loaded, which the browser waits for however busy the
    machine is. So it must not await what comes later (timers, files, the network).

    Args:
        page: The page as HTML.
        script: Body of a function, in which `hands.js` is known.
        folder: Where to put the page.
        width: Width of the window, in px.

    Raises:
        AssertionError: If the script fails.
    """
    path = folder / "page.html"
    run = _RUN % f"{HANDS}\n{script}"
    path.write_text(page.replace("</body>", f"<script>{{{run}}}</script></body>"))
    command = [
        str(CHROMIUM),
        "--headless",
        "--no-sandbox",
        f"--window-size={width},1000",
        "--dump-dom",
        path.as_uri(),
    ]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    found = re.search(r'<pre id="result">(.*?)</pre>', shown.stdout, re.DOTALL)
    assert found, shown.stderr
    done = json.loads(html.unescape(found[1]))
    assert not (isinstance(done, dict) and "failed" in done), done
    return done
