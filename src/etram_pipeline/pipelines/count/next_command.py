"""The command that counts with lines that have just been drawn."""

import re
import shlex

_SELECTING = (
    *("-p", "--pipeline", "--pipelines", "-n", "--nodes", "--from-nodes", "--to-nodes"),
    *("--from-inputs", "--to-outputs", "-t", "--tags", "--namespaces"),
)
"""Options that choose what is run, each with a value."""

_SITE = re.compile(r"(^|[,=])\s*site=(?!null\b)")
"""A site file among the parameters of a word."""


def counting_command(command: str, site: str = "site.yml") -> str:
    """The command of a run, changed to count anew and to draw the video anew.

    Args:
        command: The command of the run whose tracks are counted.
        site: The file of lines and zones, if the command does not name one.
    """
    kept: list[str] = []
    words = iter(shlex.split(command))
    for word in words:
        option, equals, _ = word.partition("=")
        if option not in _SELECTING:
            kept.append(word)
        elif not equals:
            next(words, None)  # its value
    names_site = any(_SITE.search(word) for word in kept)
    added = [] if names_site else ["--params", f"site={site}"]
    # Preprocessing recomputes nothing, but lists the recording again if others came after it.
    return shlex.join([*kept, "--pipelines", "preprocess,count,annotate", *added])
