"""Recordings of Gen1 and 1 Mpx under the settings of their environments, against RVT's rules."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.conftest import OpenSession
from tests.published_sets import OF_GEN1, write_1mpx, write_gen1

from etram_pipeline.datasets.recordings import LabelFilesDataset, RecordingsDataset
from etram_pipeline.datasets.stores import LabelledFramesDataset, RepresentationsDataset
from etram_pipeline.labels.frames import select_frames
from etram_pipeline.labels.table import as_label_table
from etram_pipeline.pipelines.preprocess import nodes
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.representation_store import RepresentationStore

Times = npt.NDArray[np.int64]
STEP_US = 50_000


def frames_of_rvt(label_times_us: Times, interval_us: int) -> list[int]:
    """Times of RVT's frames; every one is compared with the one before."""
    late = [time_us for time_us in np.unique(label_times_us).tolist() if time_us >= 100_000]
    frames = late[:1]
    for time_us in late[1:]:
        off = (time_us - frames[-1]) % interval_us
        if min(off, interval_us - off) <= 2000:
            frames.append(time_us)
    return frames


def boxes_of_rvt(table: npt.NDArray[Any], env: str, split: str) -> list[tuple[float, ...]]:
    """Boxes that RVT's filters keep: time, class and sides, one after another."""
    width, height = {"gen1": (304, 240), "gen4": (1280, 720)}[env]
    side, diagonal = {"gen1": (10, 30), "gen4": (5, 0)}[env]
    kept: list[tuple[float, ...]] = []
    for row in table:
        left, top = max(float(row["x"]), 0), max(float(row["y"]), 0)
        right = min(float(row["x"]) + float(row["w"]), width - 1)
        bottom = min(float(row["y"]) + float(row["h"]), height - 1)
        w, h = right - left, bottom - top
        large = w >= side and h >= side and w * w + h * h >= diagonal * diagonal
        faulty = split == "train" and w > 9 * width // 10
        if w > 0 and h > 0 and large and not faulty and (env == "gen1" or row["class_id"] <= 2):
            time_us = row["ts" if env == "gen1" else "t"]
            kept.append((float(time_us), float(row["class_id"]), left, top, w, h))
    return kept


def preprocess(
    session: OpenSession, env: str, raw: Path, out: Path
) -> tuple[LabelStore, RepresentationStore]:
    """What the nodes of an environment store of the recordings in a folder."""
    with session(env) as active:
        given = active.load_context().params
    recordings = RecordingsDataset(path=str(raw)).load()
    files = LabelFilesDataset(path=str(raw)).load()
    dataset, storage = given["dataset"], given["storage"]
    labelled = LabelledFramesDataset(path=str(out / "labels"), executor={"kind": "inline"})
    labelled.save(
        nodes.describe_labelled_frames(
            recordings, files, dataset, given["label_sets"], given["labels"], storage
        )
    )
    encoded = RepresentationsDataset(path=str(out / "images"), executor={"kind": "inline"})
    encoded.save(
        nodes.describe_histograms(
            recordings,
            labelled.load(),
            dataset,
            given["windows"],
            given["representation"],
            storage,
        )
    )
    return labelled.load(), encoded.load()


@pytest.mark.parametrize(
    ("env", "size", "interval_us"), [("gen1", (240, 304), 250_000), ("gen4", (360, 640), 100_002)]
)
def test_frames_boxes_and_windows_are_those_of_rvt(
    session: OpenSession, tmp_path: Path, env: str, size: tuple[int, int], interval_us: int
) -> None:
    raw = tmp_path / "raw"
    (write_gen1 if env == "gen1" else write_1mpx)(raw, duration_s=3, labelled_s=2)
    paths = sorted(raw.rglob("*_bbox.npy"))
    for path in paths:
        table = np.load(path)
        table["x"][::5] -= 100  # over the left border or off the sensor
        table["w"][1::7] = 0.95 * {"gen1": 304, "gen4": 1280}[env]
        table["h"][2::9] = 7
        np.save(path, table)

    labels, frames = preprocess(session, env, raw, tmp_path / "out")

    assert len(labels) == len(frames) == len(paths)
    for path in paths:
        split = path.parent.name
        key = f"{split}/{path.name.removesuffix('_bbox.npy')}"
        kept = boxes_of_rvt(np.load(path), env, split)
        times_us = frames_of_rvt(np.array([int(box[0]) for box in kept]), interval_us)
        assert labels[key].times_us.tolist() == times_us
        assert labels[key].interval_us == interval_us
        found = labels[key].labels
        names = ("t", "class_id", "x", "y", "w", "h")
        np.testing.assert_allclose(
            [[float(box[name]) for name in names] for box in found],
            [box for box in kept if int(box[0]) in times_us],
            rtol=1e-6,
        )
        stored = frames[key]
        assert (stored.height, stored.width, stored.channels) == (*size, 20)
        ends = list(range(times_us[0], 0, -STEP_US))[-2:0:-1] + times_us[:1]
        for start, stop in pairwise(times_us):
            steps = round((stop - start) / interval_us) * (5 if env == "gen1" else 2)
            ends += [int(each) for each in np.linspace(start, stop, steps + 1)[1:]]
        assert stored.stop_us.tolist() == ends
        assert stored.read(0, stored.num_windows).any()


def test_labels_at_one_hertz_lie_on_the_grid_of_four(session: OpenSession) -> None:
    times_us = np.array([1, 2, 4, 4.25, 4.6, 5.5]) * 1_000_000
    table = np.zeros(len(times_us), OF_GEN1)
    table["ts"], table["w"], table["h"] = times_us, 50, 50
    with session("gen1") as active:
        settings = active.load_context().params["labels"]

    frames = select_frames(as_label_table(table, "test"), settings)

    assert frames.times_us.tolist() == frames_of_rvt(times_us.astype(np.int64), 250_000)
    assert frames.times_us.tolist() == [1_000_000, 2_000_000, 4_000_000, 4_250_000, 5_500_000]
