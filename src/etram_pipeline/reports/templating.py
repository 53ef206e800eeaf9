"""HTML pages from templates, in one style."""

from collections.abc import Mapping
from itertools import zip_longest

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from etram_pipeline.core.counts import counted
from etram_pipeline.reports.wording import NO_LABELS, number_text


def render_page(template: str, values: Mapping[str, object]) -> str:
    """A page as HTML; values are escaped, and one that the template lacks is an error."""
    environment = Environment(
        loader=PackageLoader("etram_pipeline.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}  # names keep their order
    environment.filters["number_text"] = number_text
    environment.filters["with_code"] = with_code
    environment.globals["counted"] = counted
    environment.globals["no_labels"] = NO_LABELS
    return environment.get_template(template).render(values)


def with_code(text: str) -> Markup:
    """A sentence whose parts between backticks are set as code."""
    parts = [escape(part) for part in text.split("`")]
    tagged = [Markup("<code>{}</code>").format(part) for part in parts[1::2]]
    return Markup("").join(
        part for pair in zip_longest(parts[::2], tagged, fillvalue=Markup("")) for part in pair
    )
