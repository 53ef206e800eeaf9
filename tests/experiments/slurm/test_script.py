"""Scripts of jobs."""

from pathlib import Path

from etram_pipeline.experiments.project import Project
from etram_pipeline.experiments.slurm.resources import read_resources
from etram_pipeline.experiments.slurm.script import Job, write_script


def test_every_name_is_quoted(own: Project) -> None:
    job = Job(
        name="a-0",
        command=["python", "a b", "$(rm x)", "it's"],
        folder=Path("/a b/$HOME"),
        log=Path("/50% done/slurm-%j.log"),
        size="nano",
        variables={"MLFLOW_RUN_ID": "x; y"},
    )
    resources = read_resources(own, None, {}).model_copy(
        update={"gpu": None, "options": {"qos": "a b", "exclusive": True, "hint": False}}
    )
    lines = write_script(job, resources).splitlines()
    assert lines[-1] == "exec python 'a b' '$(rm x)' 'it'\"'\"'s'"
    assert "cd '/a b/$HOME'" in lines
    assert "export MLFLOW_RUN_ID='x; y'" in lines
    assert "#SBATCH --output='/50%% done/slurm-%j.log'" in lines
    assert {"#SBATCH --qos='a b'", "#SBATCH --exclusive"} <= set(lines)
    assert not [line for line in lines if "--gres" in line or "--hint" in line]
