"""Cores, as a container may limit them."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from etram_pipeline.core.machine import (
    available_cores,
    available_memory,
    graphics_cards,
    is_first_process,
    peak_memory,
    processor_name,
)

ALL = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, ALL),
        ({"cpu.max": "max 100000\n"}, ALL),
        ({"cpu.max": "100000 100000\n"}, 1),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "6400000 100000\n"}, min(ALL, 64)),
        ({"cpu.max": "nonsense"}, ALL),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, ALL),
        ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
    ],
)
def test_a_limited_container_has_as_many_cores_as_its_time_amounts_to(
    files: Mapping[str, str], cores: int, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    assert available_cores(tmp_path) == cores


MEMINFO = "MemTotal:       16000 kB\nMemAvailable:    8000 kB\n"


@pytest.mark.parametrize(
    ("groups", "files", "kilobytes"),
    [
        ("0::/\n", {}, 8000),
        ("0::/\n", {"memory.max": "max", "memory.current": "9"}, 8000),
        ("0::/\n", {"memory.max": "4096000", "memory.current": "1024000"}, 3000),
        ("0::/job/step\n", {"job/memory.max": "2048000", "job/memory.current": "1024000"}, 1000),
        ("0::/job\n", {"other/memory.max": "2048000", "other/memory.current": "1024000"}, 8000),
        (
            "9:memory:/job\n",
            {
                "memory/job/memory.limit_in_bytes": "2048000",
                "memory/job/memory.usage_in_bytes": "1024000",
            },
            1000,
        ),
    ],
)
def test_a_limited_process_has_what_is_left_of_its_limit(
    tmp_path: Path, groups: str, files: Mapping[str, str], kilobytes: int
) -> None:
    (tmp_path / "meminfo").write_text(MEMINFO)
    (tmp_path / "own").write_text(groups)
    for name, text in files.items():
        path = tmp_path / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.with_name("memory.stat").write_text("anon 7\ninactive_file 0\n")

    found = available_memory(tmp_path / "meminfo", tmp_path / "own", tmp_path / "groups")

    assert found == 1024 * kilobytes


@pytest.mark.parametrize(
    ("variables", "is_first"),
    [
        ({}, True),
        ({"RANK": "0", "LOCAL_RANK": "0", "GROUP_RANK": "0"}, True),
        ({"RANK": "4", "LOCAL_RANK": "0", "GROUP_RANK": "1"}, False),  # torchrun, second machine
        ({"RANK": "0", "LOCAL_RANK": "0", "SLURM_PROCID": "3"}, True),  # torchrun inside a job
        ({"LOCAL_RANK": "1", "NODE_RANK": "0"}, False),  # Lightning's launcher
        ({"LOCAL_RANK": "0", "NODE_RANK": "1"}, False),
        ({"LOCAL_RANK": "0", "NODE_RANK": "0"}, True),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}, True),  # also the script of `sbatch -n 4`
        ({"SLURM_PROCID": "2", "SLURM_NTASKS": "4"}, False),
        ({"RANK": "", "LOCAL_RANK": "", "SLURM_PROCID": ""}, True),
    ],
)
def test_the_first_of_the_processes_that_a_launcher_started_is_known(
    monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str], *, is_first: bool
) -> None:
    for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert is_first_process() is is_first


def test_files_kept_in_memory_do_not_count_as_used(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text(MEMINFO)
    (tmp_path / "own").write_text("0::/\n")
    limits = {"memory.max": "4096000", "memory.current": "3072000"}
    for name, text in (limits | {"memory.stat": "inactive_file 1024000\n"}).items():
        (tmp_path / name).write_text(text)

    assert available_memory(tmp_path / "meminfo", tmp_path / "own", tmp_path) == 2048000


def test_a_system_that_does_not_tell_its_memory_limits_nothing(tmp_path: Path) -> None:
    assert available_memory(tmp_path / "meminfo") is None


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, [True]),
        ({"RANK": "0", "SLURM_PROCID": "3"}, [True]),
        ({"RANK": "1"}, [False]),
        ({"SLURM_PROCID": "2"}, [False]),
        ({"RANK": ""}, [True]),
        ({"RANK": "", "SLURM_PROCID": "abc"}, [False]),
    ],
)
def test_the_first_process_is_known_whatever_a_launcher_left(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: list[bool]
) -> None:
    for name in ("RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert [is_first_process()] == expected


def test_graphics_cards_are_named_as_the_driver_names_them(tmp_path: Path) -> None:
    for number, text in enumerate(("Model: \t\t NVIDIA H200\nIRQ: 4\n", "IRQ: 5\n")):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "information").write_text(text)
    assert graphics_cards(tmp_path) == ["NVIDIA H200"]
    assert graphics_cards(tmp_path / "none") == []


def test_the_processor_and_the_most_memory_are_as_the_system_reports_them(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: AMD EPYC\n")
    (tmp_path / "status").write_text("VmPeak:\t900 kB\nVmHWM:\t300 kB\n")

    assert processor_name(tmp_path / "cpuinfo") == "AMD EPYC"
    assert processor_name(tmp_path / "none")
    assert peak_memory(tmp_path / "status") == 300 * 1024
    assert peak_memory(tmp_path / "none") > 10 * 2**20
