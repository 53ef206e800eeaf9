"""The start of `apply`, which on a short recording takes longer than all it computes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from tests.conftest import PROJECT
from tests.events.conftest import HEADERS, encode_evt3

from etram_pipeline.core import etram
from etram_pipeline.core.recording import Events
from etram_pipeline.models.checkpoint import Checkpoint, write_checkpoint
from etram_pipeline.models.detectors import DetectorConfig

NANO = DetectorConfig.model_validate(
    {"kind": "rvt", "backbone": {"kind": "maxvit", "embed_dim": 8, "attention": {"dim_head": 8}}}
)
HEAVY = ("IPython", "pytorch_lightning", "timm", "torch._dynamo", "torchvision")
RUN = f"""
import gc, sys
from pathlib import Path
from kedro.framework.project import configure_project
from etram_pipeline.session import Session

configure_project("etram_pipeline")
paths = {{"recording": "street.raw", "checkpoint": "nano.ckpt"}}
with Session.create(
    Path.cwd(), env="recording", conf_source={str(PROJECT / "conf")!r}, runtime_params=paths
) as session:
    session.run(pipeline_names=["apply"])
print(gc.isenabled(), [name for name in {HEAVY} if name in sys.modules])
"""


def write_inputs(folder: Path) -> None:
    """A recording of 45 ms and a detector that has learnt nothing."""
    generator = np.random.default_rng(0)
    events = Events(
        x=generator.integers(0, 160, 500).astype(np.uint16),
        y=generator.integers(0, 120, 500).astype(np.uint16),
        t_us=np.sort(generator.integers(0, 45_000, 500)),
        polarity=generator.integers(0, 2, 500).astype(np.uint8),
    )
    (folder / "street.raw").write_bytes(HEADERS["evt3"].encode() + encode_evt3(events))
    torch.manual_seed(0)
    names = etram.CLASSES
    trained = Checkpoint(NANO.build(20, len(names)), NANO, 20, names, len(names))
    write_checkpoint(folder / "nano.ckpt", trained)


def test_a_run_logged_in_mlflow_loads_nothing_it_does_not_need(tmp_path: Path) -> None:
    write_inputs(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", RUN], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == "True []"
    assert list(tmp_path.glob("data/recording/08_reporting/*/annotated.mp4"))
    assert (tmp_path / "mlflow.db").exists()
