"""What the Dockerfile of the runtime copies and promises."""

import fnmatch
import re
import tomllib

from tests.conftest import PROJECT
from tests.dockerfile import Step, read_stages

FOLDER = PROJECT / "runtime"
STAGES = read_stages(FOLDER / "Dockerfile")
STEPS = [step for stage in STAGES for step in stage]
KNOWN = {"FROM", "COPY", "RUN", "ENV", "USER", "WORKDIR", "EXPOSE", "ENTRYPOINT"}


def of(instruction: str, stage: list[Step]) -> list[Step]:
    return [step for step in stage if step.instruction == instruction]


def is_ignored(name: str) -> bool:
    """Whether the context that is sent to the engine lacks a file at the top of the project."""
    ignored = False
    for line in (FOLDER / "Dockerfile.dockerignore").read_text().split():
        if fnmatch.fnmatchcase(name, line.removeprefix("!")):
            ignored = not line.startswith("!")
    return ignored


def test_only_known_instructions_are_used() -> None:
    assert {step.instruction for step in STEPS} <= KNOWN


def test_images_have_a_version_and_the_last_is_small() -> None:
    images = [of("FROM", stage)[0].words[0] for stage in STAGES]
    assert [image for image in images if not re.search(r":\d+\.\d+", image)] == []
    assert "slim" in images[-1]


def test_what_is_copied_is_there_and_is_sent_to_the_engine() -> None:
    stages = {words[2] for stage in STAGES if len(words := of("FROM", stage)[0].words) > 1}
    for step in of("COPY", STEPS):
        if "from" in step.options:
            assert step.options["from"] in stages
            continue
        *sources, _ = step.words
        for source in sources:
            assert (PROJECT / source).exists(), source
            assert not is_ignored(source), source
    assert is_ignored("data")
    assert is_ignored(".git")


def test_programs_run_as_a_user_without_rights() -> None:
    *_, user = of("USER", STAGES[-1])
    assert user.text not in {"root", "0"}
    assert any("useradd" in step.text and user.text in step.text for step in of("RUN", STEPS))


def test_it_holds_no_secrets() -> None:
    text = (FOLDER / "Dockerfile").read_text()
    assert not re.search(r"password|token|secret|credential|://\S+@", text, re.IGNORECASE)


def test_it_starts_the_program_of_the_runtime() -> None:
    project = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]
    (entry,) = of("ENTRYPOINT", STAGES[-1])
    assert entry.words[0] in project["scripts"]
