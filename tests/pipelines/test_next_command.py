"""The command that counts with lines that have just been drawn."""

import pytest

from etram_pipeline.pipelines.count.next_command import counting_command

COUNT = "--pipelines preprocess,count,annotate"
DRAWN = "--params site=site.yml"


@pytest.mark.parametrize(
    ("command", "then"),
    [
        ("kedro run", f"kedro run {COUNT} {DRAWN}"),
        ("kedro run --pipelines apply", f"kedro run {COUNT} {DRAWN}"),
        (
            "kedro run --pipelines=apply --env recording",
            f"kedro run --env recording {COUNT} {DRAWN}",
        ),
        ("kedro run -p count --from-nodes x", f"kedro run {COUNT} {DRAWN}"),
        (
            "kedro run --params 'recording=my street/a.raw' -p apply",
            f"kedro run --params 'recording=my street/a.raw' {COUNT} {DRAWN}",
        ),
        ("kedro run --params website=x", f"kedro run --params website=x {COUNT} {DRAWN}"),
        ("kedro run --params site=null", f"kedro run --params site=null {COUNT} {DRAWN}"),
    ],
)
def test_the_command_counts_with_the_drawn_file(command: str, then: str) -> None:
    assert counting_command(command) == then


@pytest.mark.parametrize(
    "params", ["--params site=a.yml", "--params=site=a.yml", "--params 'x=1, site=a.yml'"]
)
def test_a_site_file_that_is_named_already_is_kept(params: str) -> None:
    assert counting_command(f"kedro run {params}") == f"kedro run {params} {COUNT}"
