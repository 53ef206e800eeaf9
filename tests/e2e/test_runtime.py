"""The runtime where nothing else is installed: built, installed, and with the boxes of the project.

The environment is made by the steps of `runtime/Dockerfile`, in a folder in place of the root.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.conftest import PROJECT
from tests.dockerfile import Step, read_stages
from tests.pages import blocks
from tests.street import write_street
from tests.test_runtime import shipped

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

STAGES = read_stages(PROJECT / "runtime" / "Dockerfile")
OF_THE_IMAGE = re.compile(r"(?<![\w.$:/])/(?=(?:home|opt|source)\b)")
"""Where a path of the image begins; paths of this machine, such as `/usr`, stay as they are."""

MEASURE = """
import json, re, sys, time
begin = time.perf_counter()
code = compile(open(sys.argv[1]).read(), sys.argv[1], "exec")
def note(*words, **options):
    found.append([" ".join(map(str, words)), time.perf_counter() - begin])
found = []
exec(code, {"print": note})
# Unlike that of `getrusage`, this peak does not begin with the memory of the parent.
peak_mb = int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]) / 1024
json.dump({"found": found, "peak_mb": peak_mb, "modules": sorted(sys.modules)}, sys.stdout)
"""
"""Runs a program and says when it printed what, the memory it took and what it imported."""


@dataclass
class Image:
    """What the steps of the Dockerfile leave."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path = Path()

    def moved(self, text: str) -> str:
        """Text in which the paths of the image are those below `root`."""
        return OF_THE_IMAGE.sub(f"{self.root}/", text)

    def run(self, *command: str) -> str:
        """Output of a program, which must succeed."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout

    def take(self, step: Step) -> None:
        """Do what a step says, as far as it needs no other rights."""
        if step.instruction == "COPY" and "from" not in step.options:
            source, target = step.words
            copy(PROJECT / source, Path(self.moved(target)))
        elif step.instruction == "RUN" and not step.text.startswith("useradd"):
            self.run("sh", "-ec", self.moved(step.text))
        elif step.instruction == "ENV":
            for name, value in re.findall(r"(\w+)=(\S+)", self.moved(step.text)):
                self.environment[name] = value.replace("$PATH", self.environment["PATH"])
        elif step.instruction == "WORKDIR":
            self.folder = Path(self.moved(step.text))
            self.folder.mkdir(parents=True, exist_ok=True)


def copy(source: Path, target: Path) -> None:
    """Copy a file, or a folder with its links but without what building leaves in it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        left = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
        shutil.copytree(source, target, symlinks=True, ignore=left)
    else:
        shutil.copy(source, target)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The environment that the Dockerfile makes, which does not know that of the tests."""
    root = tmp_path_factory.mktemp("image")
    unknown = re.compile("PYTHON|MLFLOW|NUMBA|VIRTUAL_ENV|COVERAGE|COV_")
    own = {name: value for name, value in os.environ.items() if not unknown.match(name)}
    python = str(Path(sys.executable).parent)
    made = Image(root, {**own, "PATH": f"{python}:{own['PATH']}"}, root)
    for stage in STAGES:
        for step in stage:
            made.take(step)
    return made


@pytest.fixture
def street(tmp_path: Path) -> Path:
    """A folder with a detector, a recording and the first program of the page."""
    write_street(tmp_path)
    (tmp_path / "program.py").write_text(blocks("docs/deployment.md", "python")[0].code)
    return tmp_path


def size_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def test_the_program_of_the_page_finds_the_same_boxes_as_in_the_project(
    image: Image, street: Path
) -> None:
    image.folder = street
    measured = [json.loads(image.run("python", "-c", MEASURE, "program.py")) for _ in range(2)]
    own = subprocess.run(
        [sys.executable, "program.py"], cwd=street, capture_output=True, text=True, check=True
    )
    assert len(own.stdout.splitlines()) > 100
    for each in measured:
        assert [line for line, _ in each["found"]] == own.stdout.splitlines()
        heavy = {"torch", "kedro", "mlflow", "pandas", "scipy", "matplotlib", "h5py"}
        assert heavy & set(each["modules"]) == set()
        (first, *_), peak = each["found"], each["peak_mb"]
        print(f"first box after {first[1]:.1f} s, {peak:.0f} MB of memory")  # noqa: T201
        assert peak < 500
    packages = next((image.root / "opt" / "etram" / "lib").glob("python3.*")) / "site-packages"
    print(f"installation: {size_mb(packages):.0f} MB")  # noqa: T201
    assert size_mb(packages) < 700


def test_the_source_distribution_builds_the_modules_that_are_installed(
    image: Image, tmp_path: Path
) -> None:
    image.folder = tmp_path
    image.run("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "build")
    image.run("python", "-m", "build", "--outdir", ".", str(image.root / "source" / "runtime"))
    (wheel,), (_,) = tmp_path.glob("*.whl"), tmp_path.glob("*.tar.gz")
    built = set(zipfile.ZipFile(wheel).namelist())
    packages = next((image.root / "opt" / "etram" / "lib").glob("python3.*")) / "site-packages"
    of_package = (packages / "etram_pipeline").rglob("*.*")
    installed = {str(path.relative_to(packages)) for path in of_package}
    is_ours = re.compile(r"etram_pipeline/.*(?<!\.pyc)")
    assert set(filter(is_ours.fullmatch, installed)) == set(filter(is_ours.fullmatch, built))
    names = {name.removesuffix(".py").replace("/", ".") for name in built if name.endswith(".py")}
    assert {name.removesuffix(".__init__") for name in names} == shipped()
    assert "etram_pipeline/py.typed" in built
