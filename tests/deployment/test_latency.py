"""Measuring in processes of their own, what becomes of failures, and the report."""

import json
import os
import sys
import time
from pathlib import Path

import pytest
from tests.exported import describe, write_exported

from etram_pipeline.core.errors import ExportError, SettingsError
from etram_pipeline.deployment.engines import EngineConfig, EngineFiles
from etram_pipeline.deployment.latency import describe_machine, measure_latency
from etram_pipeline.deployment.latency_report import DeploymentReport
from etram_pipeline.deployment.latency_settings import LatencySettings
from etram_pipeline.deployment.latency_table import COLUMNS, rows_of
from etram_pipeline.deployment.other_work import OtherWork

WINDOWS = 4


def settings(*kinds: str, **fields: object) -> LatencySettings:
    engines = [{"kind": kind} for kind in kinds]
    quick = {"windows": WINDOWS, "million_events_per_s": [0.05]}
    return LatencySettings.model_validate({"engines": engines, **quick, **fields})


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> EngineFiles:
    """A tiny exported detector, and a checkpoint that is none."""
    folder = tmp_path_factory.mktemp("engines")
    checkpoint = folder / "detector.ckpt"
    checkpoint.write_bytes(b"nothing")
    return EngineFiles(
        write_exported(folder / "detector.onnx", describe(downsampled_by=2)), checkpoint
    )


@pytest.fixture(scope="module")
def report(files: EngineFiles) -> DeploymentReport:
    """Of two engines that run and one that fails."""
    return measure_latency(files, settings("onnxruntime", "openvino", "eager"))


def test_every_engine_is_measured_by_clock_and_by_parts(report: DeploymentReport) -> None:
    assert [each.combination.engine for each in report.measured] == ["onnxruntime", "openvino"]
    for each in report.measured:
        assert each.by_parts is not None
        assert each.by_parts.num_windows + each.by_parts.num_left_out == WINDOWS
        assert each.by_clock.num_windows >= 1
        assert each.by_clock.latency.p50_ms > report.packet_ms
        assert 0 < each.least_network_cpu_ms <= each.network_cpu.p50_ms < each.window_cpu.p99_ms
        assert each.start_cpu_s > 0
        assert each.start_s > 0
        assert each.peak_mb > 20


def test_an_engine_that_fails_is_reported_with_the_reason(report: DeploymentReport) -> None:
    [failed] = report.failed
    assert failed.combination.engine == "eager"
    assert "CheckpointError" in failed.reason
    assert "detector.ckpt" in failed.reason


def test_the_report_says_where_it_was_measured_and_survives_a_file(
    report: DeploymentReport,
) -> None:
    assert report.machine.cores >= 1
    assert {"python", "numpy", "onnxruntime", "openvino"} <= set(report.machine.versions)
    assert (report.height, report.width) == (64, 128)
    assert DeploymentReport.model_validate_json(report.model_dump_json()) == report


def test_metrics_are_those_of_the_first_combination_and_of_each(report: DeploymentReport) -> None:
    numbers = report.numbers()

    first = report.measured[0].by_clock.latency
    assert numbers["deploy/latency/p50_ms"] == first.p50_ms
    assert numbers["deploy/latency/onnxruntime/0.05M_1t/p95_ms"] == first.p95_ms
    assert numbers["deploy/latency/openvino/0.05M_1t/peak_mb"] == report.measured[1].peak_mb
    assert not any("eager" in name for name in numbers)


def test_the_table_has_a_row_for_each_combination_and_says_what_failed(
    report: DeploymentReport,
) -> None:
    rows = rows_of(report)

    assert [row[0] for row in rows] == ["onnxruntime", "openvino", "eager"]
    assert {len(row) for row in rows} == {len(COLUMNS)}
    assert "CheckpointError" in rows[2][3]


def test_an_engine_that_takes_too_long_is_given_up(files: EngineFiles) -> None:
    report = measure_latency(files, settings("onnxruntime", limit_s=0.01))

    assert report.measured == ()
    assert report.failed[0].reason == "not done after 0.01 s"
    assert report.numbers() == {}


def test_with_several_threads_processor_time_is_no_latency(files: EngineFiles) -> None:
    [measured] = measure_latency(files, settings("onnxruntime", threads=[2])).measured

    assert measured.combination.threads == 2
    assert measured.by_parts is None


def test_an_engine_without_its_package_says_what_to_install(
    files: EngineFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(SettingsError, match=r"openvino, not installed .*'\.\[openvino\]'"):
        measure_latency(files, settings("onnxruntime", "openvino"))


def test_an_engine_without_the_checkpoint_says_so(files: EngineFiles) -> None:
    alone = EngineFiles(files.exported)
    for kind in ("eager", "compiled"):
        with pytest.raises(SettingsError, match=f"the engine {kind} computes a checkpoint"):
            measure_latency(alone, settings(kind))


def test_a_file_that_is_no_exported_detector_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="does not exist"):
        measure_latency(EngineFiles(tmp_path / "detector.onnx"), settings("onnxruntime"))


def test_an_unknown_engine_is_refused_with_all_that_are_known() -> None:
    with pytest.raises(ValueError, match=r"did you mean 'onnxruntime'.*compiled, eager, int8"):
        EngineConfig.model_validate({"kind": "onnxrun"})


def test_the_work_of_others_is_all_work_but_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stat = tmp_path / "stat"
    own_s = iter([1.0, 3.0])
    monkeypatch.setattr(os, "sysconf", lambda _name: 100)
    monkeypatch.setattr(time, "process_time", lambda: next(own_s))
    stat.write_text("cpu  100 0 100 500 0 0 0 0 0 0\n")
    work = OtherWork(stat)
    stat.write_text("cpu  500 100 200 1000 100 0 0 0 400 0\n")  # 6 s busy, 6 s idle

    assert work.share() == pytest.approx((6 - 2) / 12)


def test_the_work_of_others_is_not_known_where_it_is_not_reported(tmp_path: Path) -> None:
    assert OtherWork(tmp_path / "stat").share() is None


def test_a_busy_machine_makes_a_measurement_doubtful(report: DeploymentReport) -> None:
    measured = report.measured[0]

    assert measured.model_copy(update={"others_share": 0.5}).is_doubtful
    assert not measured.model_copy(update={"others_share": 0.1}).is_doubtful
    assert not measured.model_copy(update={"others_share": None}).is_doubtful


def test_a_machine_is_described_as_plain_data() -> None:
    plain = json.loads(describe_machine().model_dump_json())

    assert plain["processor"]
    assert set(plain) == {"processor", "cores", "system", "load_average", "versions"}
