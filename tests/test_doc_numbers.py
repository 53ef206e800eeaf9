"""Numbers in pages are those of the configuration: each sentence is put together from it."""

import math
import re
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from tests.configured import loader, parameters
from tests.conftest import PROJECT
from tests.pages import PAGES, WORDS, plain, text_of

from etram_pipeline.configuration import ConfigLoader
from etram_pipeline.core import etram
from etram_pipeline.core.display import SILENCE_S
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.events.formats.sensor_size import _ETRAM_SIZE
from etram_pipeline.models.classification_losses.effective_number import Config as EffectiveNumber
from etram_pipeline.models.classification_losses.focal import Config as Focal
from etram_pipeline.models.lanes import _MOST_GROUPS
from etram_pipeline.models.size_weights.step import Config as StepWeight
from etram_pipeline.quality import checks
from etram_pipeline.run_summary import DEFAULT_RUN_MINUTES
from etram_pipeline.scene.scene import LABEL_HZ
from etram_pipeline.scene.settings import SceneRecordingsSettings
from etram_pipeline.training.optimizers import adamw

TIMES, GAMMA = "\N{MULTIPLICATION SIGN}", "\N{GREEK SMALL LETTER GAMMA}"
LONGEST_SILENCE_S = 30


@cache
def scene() -> SceneRecordingsSettings:
    return SceneRecordingsSettings.model_validate(
        loader("local")["catalog"]["recordings"].get("settings", {})
    )


def number(value: float) -> str:
    """`400 000`; names of what is small are words in the pages."""
    return f"{value:,.12g}".replace(",", " ")


def channels(env: str) -> int:
    return int(parameters(env)["representation"].channels)


def image(env: str) -> str:
    """Channels, rows and columns of a window's image."""
    dataset, representation = parameters(env)["dataset"], parameters(env)["representation"]
    height, width = representation.image_size(dataset.height, dataset.width)
    return f"{channels(env)}{TIMES}{height}{TIMES}{width}"


def of_the_scene() -> list[tuple[str, str]]:
    made, each = scene(), scene().scene
    page = "docs/getting-started.md"
    total = made.num_train + made.num_val + made.num_test
    duration = WORDS[int(each.duration_s)]
    return [
        (
            page,
            f"It has {made.num_train} training, {made.num_val} validation and {made.num_test} test "
            f"recordings of {duration} seconds, {each.height}{TIMES}{each.width} px",
        ),
        (page, f"with all {WORDS[len(etram.CLASSES)]} of eTraM's classes"),
        (page, f"Boxes are exact, at {LABEL_HZ} Hz."),
        ("README.md", f"simulates {total} recordings"),
        ("README.md", f"on the {WORDS[made.num_test]} test recordings of the embedded scene"),
        ("README.md", f"with seed {parameters('local')['train'].seed}:"),
    ]


def of_preprocessing() -> list[tuple[str, str]]:
    of_scene = parameters("local")
    labels, windows, dataset = of_scene["labels"], of_scene["windows"], of_scene["dataset"]
    of_recording = parameters("recording")
    filters = {each.kind: each for each in labels.filters}
    side_px, fraction = filters["minimum_size"].side_px, filters["maximum_width"].fraction
    assert labels.frame_interval_ms is None
    page = "docs/getting-started.md"
    whole = windows.duration_ms
    name = of_scene["representation"].name(windows)
    sensor = of_recording["dataset"]
    return [
        (
            page,
            f"at least {side_px:g} px, at most {fraction:g} of the sensor's width) "
            f"and become *labelled frames*, one for every moment with labels, here "
            f"{1000 / LABEL_HZ:g} ms apart. "
            f"A window of {whole} ms ends at every labelled frame",
        ),
        (
            page,
            f"by tenth of the window, {channels('local')} channels at half the sensor's resolution",
        ),
        ("docs/glossary.md", f"A window lasts {whole} ms by default"),
        ("README.md", f"into windows of {parameters('recording')['windows'].duration_ms} ms"),
        (
            "docs/own-recordings.md",
            f"one ends at each multiple of {of_recording['windows'].step_ms} ms",
        ),
        (
            "docs/own-recordings.md",
            f"the environment `recording` assumes {sensor.height}{TIMES}{sensor.width}",
        ),
        ("docs/data-formats.md", f"`{name}` by default"),
        ("docs/data-formats.md", f"else {_ETRAM_SIZE[0]} {TIMES} {_ETRAM_SIZE[1]}"),
        (page, {10: "by tenth of the window"}[of_scene["representation"].bins]),
        (page, {2: "at half the sensor's resolution"}[of_scene["representation"].downsampled_by]),
        ("README.md", f"the {WORDS[len(dataset.class_names)]} classes"),
    ]


def of_training() -> list[tuple[str, str]]:
    train = parameters("local")["train"]
    page = "docs/getting-started.md"
    sizes = dict(
        re.findall(r"^\| `(\w+)` \|.* \| ([\d ]+) \|$", text_of("docs/variants.md"), re.MULTILINE)
    )
    millions = int(sizes["rvt_nano"].replace(" ", "")) / 1e6
    return [
        (
            page,
            f"A small RVT ({millions:.1f} million parameters) trains for "
            f"{number(train.max_steps)} steps of {train.lanes} clips of {train.clip_length} "
            "windows each.",
        ),
        (page, f"every {number(train.validation.every_steps)} steps and at the end"),
        (page, f"train.max_steps={2 * train.max_steps} # train twice as long"),
        ("docs/training.md", f"in a thread of its own (at most {_MOST_GROUPS})"),
    ]


def of_etram() -> list[tuple[str, str]]:
    every = parameters("etram")
    train, dataset, windows = every["train"], every["dataset"], every["windows"]
    steps = f"{number(train.max_steps)} steps of {train.lanes} clips"
    num_windows = number(10 * 3600 * 1000 // windows.step_ms)
    page = "docs/etram.md"
    return [
        (
            "README.md",
            f"RVT-Base, {number(train.max_steps)} steps, {WORDS[len(dataset.class_names)]} classes",
        ),
        ("README.md", f"(10 h, {num_windows} windows of {image('etram')})"),
        ("README.md", f"training RVT-Base, {steps}"),
        (page, f"| sensor (height {TIMES} width) | {dataset.height}{TIMES}{dataset.width} |"),
        (page, f"| labelled frames | {every['labels'].frame_interval_ms:g} ms apart, on"),
        (page, f"| training | {steps}: RVT's schedule"),
        (page, f"with the learning rate for {train.lanes} clips |"),
        (page, f"| validation | every {number(train.validation.every_steps)} steps |"),
        (page, f"| protocols | {', '.join(f'`{name}`' for name in names_of(loader('etram')))} |"),
        (page, f"| windows | {num_windows} | 10 h, one every {windows.step_ms} ms |"),
        (page, f"| values per representation | {image('etram')} |"),
        ("docs/variants.md", f"also set RVT's schedule: {steps}"),
        ("docs/configuration.md", f"RVT's schedule of {number(train.max_steps)} steps"),
        ("docs/evaluation.md", f"protocols: [{', '.join(names_of(loader('etram'))[:1])}"),
    ]


def names_of(conf: ConfigLoader) -> list[str]:
    return [str(name) for name in conf["parameters"]["evaluate"]["protocols"]]


def of_parts() -> list[tuple[str, str]]:
    step, default = StepWeight(), Protocol(name="default")
    small, medium = default.area_ranges["M"]
    limits = ", ".join(map(str, default.max_detections))
    percent = {
        name: f"{100 * getattr(checks, name):g} %"
        for name in ("MANY", "FEW_LATE", "HOT", "ONE_SIDED")
    }
    report = parameters("recording")["report"]
    presets = (PROJECT / "conf" / "presets").glob("*.yml")
    experiments = [
        path.stem
        for path in presets
        if "# Published" in path.read_text() and not path.stem.startswith("rvt_")
    ]
    more = (*WORDS, "eleven", "twelve", "thirteen", "fourteen", "fifteen")[len(experiments) - 4]
    page = "docs/own-recordings.md"
    return [
        (
            "docs/variants.md",
            f"W is `maximum`, {step.small_area:g} px `small_area`, "
            f"{step.medium_area:g} px `medium_area`",
        ),
        ("docs/variants.md", f"{GAMMA} = {Focal().gamma:g}"),
        ("docs/variants.md", f"β = {EffectiveNumber().beta:g}"),
        (
            "docs/evaluation.md",
            f"(small < {math.isqrt(int(small))}², medium < {math.isqrt(int(medium))}² grid px) "
            f"and limits ({limits} detections",
        ),
        (page, f"{percent['MANY']} outside and more is a problem"),
        (page, f"a warning from {percent['FEW_LATE']}"),
        (page, f"a warning if they cause at least {percent['HOT']} of the events"),
        (page, f"one of the two below {percent['ONE_SIDED']}"),
        (page, f"Videos last at most {report.video_max_seconds:g} seconds"),
        ("docs/configuration.md", f"and {more} more: experiments on eTraM"),
        ("docs/getting-started.md", f"at least every {LONGEST_SILENCE_S} seconds"),
        ("docs/training.md", f"train.optimizer.learning_rate={rate(24) * 1e4:.3g}e-4"),
    ]


def rate(clips: int) -> float:
    """RVT's rule, which the page tells."""
    assert f"2e-4 {TIMES} √(clips per step / 8)" in text_of("docs/training.md")
    return float(2e-4 * np.sqrt(clips / 8))


@pytest.mark.parametrize(
    "part",
    [of_the_scene, of_preprocessing, of_training, of_etram, of_parts],
    ids=lambda p: p.__name__,
)
def test_pages_say_what_the_configuration_says(part: Callable[[], list[tuple[str, str]]]) -> None:
    missing = [(page, sentence) for page, sentence in part() if sentence not in plain(page)]
    assert missing == []


def test_learning_rates_follow_the_rule_that_the_page_tells() -> None:
    train = parameters("etram")["train"]
    assert train.optimizer.learning_rate == pytest.approx(rate(train.lanes), rel=5e-3)
    assert adamw.Config().learning_rate == pytest.approx(rate(24), rel=5e-3)


def test_the_results_of_the_default_run_are_of_its_protocols() -> None:
    table = (
        text_of("README.md").partition("### What the default run reaches")[2].partition("\n## ")[0]
    )
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == names_of(loader("local"))


def test_the_readme_and_the_run_promise_about_the_same_time() -> None:
    (minutes,) = re.findall(r"The run takes (\d+) minutes", text_of("README.md"))
    assert abs(int(minutes) - DEFAULT_RUN_MINUTES) <= 1


def test_lines_come_as_often_as_promised() -> None:
    assert SILENCE_S <= LONGEST_SILENCE_S
    promises = [re.findall(r"every (\d+) seconds", plain(page)) for page in PAGES]
    assert {int(each) for found in promises for each in found} == {LONGEST_SILENCE_S}


def test_the_settings_that_a_training_may_change_are_listed() -> None:
    train = parameters("etram")["train"]
    changeable = set(type(train).model_fields) - set(train.outcome())
    (told,) = re.findall(
        r"only determine where and how fast to train \(([^)]*)\)", plain("docs/training.md")
    )
    assert set(re.findall(r"`(\w+)`", told)) == changeable
