"""What templates may be given."""

import pytest
from jinja2 import UndefinedError

from etram_pipeline.reports.templating import render_page, with_code


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("set `a.b` and `c`", "set <code>a.b</code> and <code>c</code>"),
        ("no code", "no code"),
        ("`<b>` & <i>", "<code>&lt;b&gt;</code> &amp; &lt;i&gt;"),
        ("never `closed", "never <code>closed</code>"),
        ("", ""),
    ],
)
def test_parts_between_backticks_become_code_and_nothing_becomes_a_tag(
    text: str, html: str
) -> None:
    assert with_code(text) == html


def test_a_value_that_a_template_lacks_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render_page("report.html.j2", {})
