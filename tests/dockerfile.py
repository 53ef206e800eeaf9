"""The steps of a Dockerfile, for tests of its content where there is no engine that builds it."""

import json
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Step:
    """An instruction and what follows it."""

    instruction: str
    text: str

    @property
    def words(self) -> list[str]:
        """Its words, without options; those of `["…"]` as they are."""
        if self.text.startswith("["):
            return [str(word) for word in json.loads(self.text)]
        return [word for word in self.text.split() if not word.startswith("--")]

    @property
    def options(self) -> dict[str, str]:
        """Its options, such as `from` of `COPY --from=build`."""
        return dict(re.findall(r"(?:^|\s)--([\w-]+)=(\S+)", self.text))


def read_stages(path: Path) -> list[list[Step]]:
    """The steps of each stage, beginning with its `FROM`.

    Raises:
        ValueError: If a line is no instruction.
    """
    text = re.sub(r"^\s*#.*\n", "", path.read_text(), flags=re.MULTILINE)
    stages: list[list[Step]] = []
    for line in filter(None, re.sub(r"\\\n\s*", " ", text).splitlines()):
        found = re.fullmatch(r"([A-Z]+) (.+)", line)
        if found is None:
            raise ValueError(f"{path}: {line!r} is no instruction")
        step = Step(found[1], found[2].strip())
        if step.instruction == "FROM":
            stages.append([])
        stages[-1].append(step)
    return stages
