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

_RESULT = """
function told(error) { return {failed: String(error.stack)}; }
function write(done) {
  const out = document.createElement("pre");
  out.id = "result";
  out.textContent = JSON.stringify(done);
  document.body.append(out);
}
"""

HANDS = (Path(__file__).parent / "hands.js").read_text()


def use(page: str, script: str, folder: Path, width: int = 1280) -> Any:  # noqa: ANN401  # whatever JSON holds
    """What the script returns, having used the page in a browser.

    Args:
        page: The page as HTML.
        script: Body of an asynchronous function, in which `hands.js` is known.
        folder: Where to put the page.
        width: Width of the window, in px.

    Raises:
        AssertionError: If the script fails.
    """
    path = folder / "page.html"
    run = f"(async () => {{{HANDS}\n{script}}})().catch(told).then(write);{_RESULT}"
    path.write_text(page.replace("</body>", f"<script>{run}</script></body>"))
    command = [
        str(CHROMIUM),
        "--headless",
        "--no-sandbox",
        f"--window-size={width},1000",
        "--virtual-time-budget=5000",
        "--dump-dom",
        path.as_uri(),
    ]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    found = re.search(r'<pre id="result">(.*?)</pre>', shown.stdout, re.DOTALL)
    assert found, shown.stderr
    done = json.loads(html.unescape(found[1]))
    assert not (isinstance(done, dict) and "failed" in done), done
    return done
