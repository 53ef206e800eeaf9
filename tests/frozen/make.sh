#!/usr/bin/env bash
# Makes everything beside this script anew, by the code of the checkout it lies in.
set -euo pipefail
frozen=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "$frozen/../.." && pwd)
project=/tmp/project   # job.json and the log name it

rm -rf "$project" && mkdir -p "$project"
cp -r "$checkout"/{src,conf,pyproject.toml,README.md} "$project"
cp -r "$frozen/conf" "$project/conf/frozen"
cd "$project"
export PYTHONPATH=$project/src:$checkout OMP_NUM_THREADS=1
run() { kedro run --env frozen "$@"; }

run --pipelines preprocess,export,train,predict,evaluate --params mlflow=false

# Another training, stopped by Ctrl-C late enough that few steps are left, and a copy that goes on.
# The best of its states is an earlier one.
python - <<'PYTHON'
import signal, subprocess, sys, time
from pathlib import Path

command = "kedro run --env frozen --pipelines train --params mlflow=false,train.seed=0,results=stopped"
training = subprocess.Popen(command.split())
while training.poll() is None:
    history = next(Path("stopped/06_models/trainings").glob("*/history.csv"), None)
    if history and any(row.startswith("280,") for row in history.read_text().splitlines()):
        training.send_signal(signal.SIGINT)
        break
    time.sleep(0.01)
sys.exit(training.wait() == 0)
PYTHON
cp -r stopped continued
run --pipelines train --params mlflow=false,train.seed=0,results=continued
cp -r stopped/06_models/trainings/* data/06_models/trainings

python - <<'PYTHON'
import inspect, json, os, shutil
from pathlib import Path

import numpy as np
import torch
from tests.events import conftest

from etram_pipeline.events.recording import open_recording

# A recording of every format, and the index of its times.
folder = Path("data/recordings")
folder.mkdir()
events = inspect.unwrap(conftest.make_events)()(200)
write = inspect.unwrap(conftest.write_recording)(folder)
for number, name in enumerate(conftest.FORMATS):
    path = write(name, events).rename(folder / name)
    open_recording(path, index=path.with_suffix(".index"))

for unread in (*Path("data").rglob("*.lock"), *Path("data").rglob("*.html")):
    unread.unlink()
files = [path for path in sorted(Path("data").rglob("*")) if path.is_file()]
times = {str(path.relative_to("data")): path.stat().st_mtime_ns for path in files}
Path("times.json").write_text(json.dumps(times, indent=1) + "\n")
processor = next(
    line.partition(":")[2].strip()
    for line in Path("/proc/cpuinfo").read_text().splitlines()
    if line.startswith("model name")
)
capability = torch.backends.cpu.get_cpu_capability()
machine = {"processor": processor, "capability": capability, "torch": torch.__version__}
Path("machine.json").write_text(json.dumps(machine, indent=1) + "\n")
PYTHON

rm -rf "$frozen"/{data,continued.ckpt,times.json,machine.json}
cp -r data times.json machine.json "$frozen"
python - "$frozen/continued.ckpt" <<'PYTHON'
import sys
from pathlib import Path

import torch

last = torch.load(next(Path("continued/06_models/trainings").glob("*/last.ckpt")))
torch.save({key: last[key] for key in ("etram", "state_dict")}, sys.argv[1])
PYTHON
du -sh "$frozen"
