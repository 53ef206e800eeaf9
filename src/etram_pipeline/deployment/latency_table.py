"""A report of latency as a table, for people."""

from etram_pipeline.deployment.latency_report import Answers, DeploymentReport, Measured

COLUMNS = (
    *("engine", "threads", "M events/s"),
    *("p50 ms", "p95 ms", "p99 ms", "left out"),
    *("parts p50 ms", "parts p95 ms", "left out by parts"),
    *("CPU ms", "network CPU ms", "least", "x real time"),
    *("start s", "start CPU s", "peak MB", "others %"),
)
"""Latency by the clock, latency computed from processor time, processor time, and the process."""


def rows_of(report: DeploymentReport) -> list[list[str]]:
    """One row for each combination; those that failed come last, with the reason."""
    rows = [_row(each) for each in report.measured]
    for failed in report.failed:
        of = failed.combination
        row = [of.engine, str(of.threads), f"{of.million_events_per_s:g}", failed.reason]
        rows.append(row + [""] * (len(COLUMNS) - len(row)))
    return rows


def score_lines(report: DeploymentReport) -> list[str]:
    """What rounding costs, one line per engine."""
    return [
        f"{score.engine}: AP {score.average_precision:.4f} ({report.protocol}), "
        + ("the reference" if number == 0 else f"{100 * score.drop:+.2f} points lower")
        + ("" if score.is_accepted else ": not accepted")
        for number, score in enumerate(report.scores)
    ]


def _row(measured: Measured) -> list[str]:
    of = measured.combination
    return [
        *(of.engine, str(of.threads), f"{of.million_events_per_s:g}"),
        *_answers(measured.by_clock),
        f"{measured.by_clock.latency.p99_ms:.1f}",
        str(measured.by_clock.num_left_out),
        *(("", "", "") if measured.by_parts is None else _with_left_out(measured.by_parts)),
        f"{measured.window_cpu.p50_ms:.1f}",
        f"{measured.network_cpu.p50_ms:.1f}",
        f"{measured.least_network_cpu_ms:.1f}",
        f"{measured.realtime_factor:.2f}",
        f"{measured.start_s:.1f}",
        f"{measured.start_cpu_s:.1f}",
        f"{measured.peak_mb:.0f}",
        "" if measured.others_share is None else f"{100 * measured.others_share:.0f}",
    ]


def _answers(answers: Answers) -> tuple[str, str]:
    return f"{answers.latency.p50_ms:.1f}", f"{answers.latency.p95_ms:.1f}"


def _with_left_out(answers: Answers) -> tuple[str, str, str]:
    return *_answers(answers), str(answers.num_left_out)
