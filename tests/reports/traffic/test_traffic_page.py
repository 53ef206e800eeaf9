"""The page of traffic."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from matplotlib.patches import Rectangle
from tests.reports.html import Reader
from tests.reports.traffic.conftest import SITE, drive, whole_way

from etram_pipeline.reports.traffic import traffic_page
from etram_pipeline.reports.traffic.doubts import Doubt, find_doubts
from etram_pipeline.reports.traffic.figures import draw_line_counts, draw_queues, draw_speeds
from etram_pipeline.reports.traffic.flows import draw_flows, flow_counts
from etram_pipeline.reports.traffic.traffic_page import TrafficContent, write_traffic_page
from etram_pipeline.reports.traffic.traffic_tables import (
    line_table,
    movement_matrix,
    movement_table,
    speed_table,
    zone_table,
)
from etram_pipeline.tracks.table import BRIDGED, RESTED
from etram_pipeline.traffic.counting import Traffic
from etram_pipeline.traffic.default_sites import border_site
from etram_pipeline.traffic.site import Line, Zone

EVIL = "<script>alert('x')</script>"

MakeTraffic = Callable[..., Traffic]


def doubts(traffic: Traffic) -> dict[str, Doubt]:
    return {doubt.title: doubt for doubt in find_doubts(traffic)}


def test_the_page_is_whole_and_needs_no_other_file(traffic: Traffic) -> None:
    still = np.zeros((360, 640, 3), np.uint8)
    page = write_traffic_page(TrafficContent({"test/a": traffic}, {"test/a": still}))
    reader = Reader(page)
    assert all(address.startswith(("#", "data:")) for address in reader.addresses)
    assert "script" not in reader.tags
    assert 'href="data:image/jpeg' in page


def test_the_page_says_when_the_recording_began(make_traffic: MakeTraffic) -> None:
    switched_on = datetime(2026, 6, 1, 7, 59, 50, tzinfo=UTC)
    later = make_traffic(started_at=switched_on, start_us=15_000_000)
    page = write_traffic_page(TrafficContent({"test/a": later}))
    assert "1 min 45 s observed from 2026-06-01 08:00:05+00:00." in page


def test_names_from_outside_are_shown_as_text(make_traffic: MakeTraffic) -> None:
    lines = {EVIL: SITE.lines["west"].model_copy(update={"forward": EVIL}), **SITE.lines}
    site = SITE.model_copy(update={"lines": lines, "zones": {f"{EVIL}z": SITE.zones["middle"]}})
    page = write_traffic_page(TrafficContent({EVIL: make_traffic(site=site)}, title=EVIL))
    assert "script" not in Reader(page).tags


def test_names_that_look_like_formulas_of_mathematics_are_shown_as_text(
    make_traffic: MakeTraffic,
) -> None:
    name = r"$\frac$ to $x$"
    line = SITE.lines["west"].model_copy(update={"forward": name})
    site = SITE.model_copy(update={"lines": {name: line}, "zones": {name: SITE.zones["middle"]}})
    page = write_traffic_page(TrafficContent({name: make_traffic(site=site)}))
    assert f">{name}</text>" in page  # the title of the figure of this line


def test_each_recording_has_a_section_and_links_lead_to_it(
    traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic_page, "MAX_RECORDINGS", 2)
    page = write_traffic_page(TrafficContent(dict.fromkeys(("a", "b", "c"), traffic)))
    links = re.findall(r'href="#([^"]+)"', page)
    assert links == ["recording-1", "recording-2"]
    assert set(links) <= set(re.findall(r'id="([^"]*)"', page))
    assert "1 more recording without a section" in page
    assert page.count('<th scope="row">c</th>') == 1


def test_without_traffic_the_page_says_so(make_traffic: MakeTraffic) -> None:
    page = write_traffic_page(TrafficContent({"test/a": make_traffic(drive(1, np.zeros(0)))}))
    Reader(page)
    assert "No line was crossed" in page
    assert "Turning movements" not in page


def test_the_matrix_adds_up_to_all_movements(traffic: Traffic) -> None:
    matrix = movement_matrix(traffic)
    assert matrix.ends == ("west", "east", "unknown")
    assert matrix.counts == ((0, 2, 1), (1, 0, 0), (0, 0, 0))
    assert matrix.to_totals == (1, 2, 1)
    assert sum(matrix.to_totals) == len(traffic.movements)


def test_movements_and_crossings_are_told_by_class(traffic: Traffic) -> None:
    movements = movement_table(traffic)
    assert movements.header == ("from", "to", "pedestrian", "car", "total")
    assert set(movements.rows) == {
        ("west", "east", 0, 2, 2),
        ("west", "unknown", 0, 1, 1),
        ("east", "west", 1, 0, 1),
    }
    lines = line_table(traffic)
    assert lines.rows[0] == ("west", "in", 0, 3, 3, "90")  # in two minutes
    assert sum(int(str(row[-2])) for row in lines.rows) == len(traffic.crossings)


def test_hourly_flows_are_not_made_of_seconds(traffic: Traffic) -> None:
    short = replace(traffic, observed=replace(traffic.observed, stop_us=59_000_000))
    assert {row[-1] for row in line_table(short).rows} == {"–"}  # noqa: RUF001


def test_zones_and_speeds_are_measured_over_the_whole_recording(traffic: Traffic) -> None:
    (zone,) = zone_table(traffic).rows
    stay_s = 100 / 200  # px, and px/s
    assert zone[:2] == ("middle", 4)
    assert float(str(zone[4])) == pytest.approx(stay_s, abs=0.06)
    speeds = speed_table(traffic).rows
    assert speeds[0][:2] == ("west", "in")
    assert float(str(speeds[0][3])) == pytest.approx(3.6 * 20, abs=1.5)  # 0.1 m per px


def test_zones_of_a_recording_without_length_have_no_share_of_its_time(traffic: Traffic) -> None:
    observed = replace(traffic.observed, stop_us=0)
    (zone,) = zone_table(replace(traffic, observed=observed, stays=traffic.stays[:0])).rows
    assert (zone[2], zone[3]) == ("–", "–")  # noqa: RUF001


def test_without_ground_there_are_no_speeds(make_traffic: MakeTraffic) -> None:
    traffic = make_traffic()
    assert speed_table(traffic).rows == ()
    assert draw_speeds(traffic) is None
    assert "no ground points" in doubts(traffic)["Ground"].text


def test_flows_are_arrows_by_width_with_their_number(traffic: Traffic) -> None:
    assert flow_counts(traffic) == {
        ("west", "east"): 2,
        ("west", "unknown"): 1,
        ("east", "west"): 1,
    }
    drawing = draw_flows(traffic, "")
    assert "west → east: 2 road users" in drawing
    assert "unknown" not in re.sub(r"<title>.*?</title>|aria-label=\"[^\"]*\"", "", drawing)
    widths = re.findall(r'<path d="[^"]*" stroke-width="([\d.]+)"', drawing)
    assert float(widths[0]) == pytest.approx(2 * float(widths[1]), rel=0.05)
    assert "in 3 · out 1" in drawing


def test_who_turns_back_gets_a_loop(make_traffic: MakeTraffic) -> None:
    way = whole_way()[:30]
    drawing = draw_flows(make_traffic(drive(1, np.concatenate([way, way[::-1]]))), "")
    assert "west → west: 1 road user" in drawing


def test_counts_over_time_sum_up_to_crossings(traffic: Traffic) -> None:
    figures = draw_line_counts(traffic)
    assert tuple(figures) == ("west", "east")
    bars = figures["west"].axes[0].patches
    heights = [bar.get_height() for bar in bars if isinstance(bar, Rectangle)]
    assert sum(height for height in heights if height > 0) == 3
    assert sum(height for height in heights if height < 0) == -1
    ticks = [text.get_text() for text in figures["west"].axes[0].get_xticklabels()]
    assert "08:00:00" in " ".join(ticks) or "08:00:30" in " ".join(ticks)


def test_impossible_speeds_take_no_more_bars_than_others(traffic: Traffic) -> None:
    found = traffic.crossings.copy()
    found["speed_m_s"] *= 1e6  # of a ground in micrometres
    figure = draw_speeds(replace(traffic, crossings=found))
    assert figure is not None
    assert len([each for each in figure.axes[0].patches if isinstance(each, Rectangle)]) <= 61


def test_who_waits_in_a_zone_is_drawn(make_traffic: MakeTraffic) -> None:
    way = whole_way()
    waits = np.concatenate([way[:28], np.full(100, way[28]), way[29:]])
    zones = {"first": Zone(polygon=((1, 1), (9, 1), (9, 9))), **SITE.zones}
    traffic = make_traffic(drive(1, waits), site=SITE.model_copy(update={"zones": zones}))
    assert [row[8] for row in zone_table(traffic).rows] == ["0", "1"]
    figure = draw_queues(traffic)
    assert figure is not None
    line = next(line for line in figure.axes[0].lines if line.get_label() == "middle")
    values = np.asarray(line.get_ydata())
    assert values.sum() == pytest.approx(5, abs=1)  # once a second, for the 5 s it stood
    assert values.max() == 1
    assert draw_queues(make_traffic(drive(1, way))) is None


def test_gaps_unknown_ends_and_partial_bins_are_told(make_traffic: MakeTraffic) -> None:
    traffic = make_traffic(
        drive(1, whole_way(), state=BRIDGED),
        drive(2, whole_way(), state=RESTED),
        drive(3, whole_way()),
    )
    found = doubts(traffic)
    assert "4 of 6 crossings in a gap" in found["Crossings in gaps"].text
    assert "(2 while moving, 2 while standing)" in found["Crossings in gaps"].text
    assert found["Crossings in gaps"].is_warning
    assert "0 of 3 movements with an unknown end" in found["Unknown ends"].text
    assert not found["Unknown ends"].is_warning
    assert "0 of 2 of 1 min, 1 of 1 of 5 min" in found["Bins"].text
    assert list(found.values()) == sorted(found.values(), key=lambda doubt: not doubt.is_warning)


def test_tracks_that_end_inside_or_stand_there_are_told(make_traffic: MakeTraffic) -> None:
    half = whole_way()[:30]
    stands = np.concatenate([half, np.full(20, half[-1])])
    text = doubts(make_traffic(drive(1, whole_way()), drive(2, half), drive(3, stands)))[
        "Broken and resting tracks"
    ].text
    assert "2 of 3 tracks ending inside the picture" in text
    assert "1 of them stood" in text


def test_small_boxes_at_a_line_are_a_warning(make_traffic: MakeTraffic) -> None:
    far = doubts(make_traffic(drive(1, whole_way(), h=9, w=12)))["Size at lines"]
    assert far.is_warning
    assert "west 9 px, east 9 px" in far.text
    assert not doubts(make_traffic(drive(1, whole_way())))["Size at lines"].is_warning


def test_lines_that_nobody_drew_are_told(make_traffic: MakeTraffic) -> None:
    assert "site.html" in doubts(make_traffic(site=border_site(640, 360)))["Lines"].text
    assert "Lines" not in doubts(make_traffic())


def test_a_line_of_any_shape_is_drawn_inside_the_picture(make_traffic: MakeTraffic) -> None:
    line = Line(points=((640, 360), (600, 300), (640, 0)))
    site = SITE.model_copy(update={"lines": {"a long name of a line": line}})
    for x, y in re.findall(
        r'<text class="[^"]*" x="([\d.-]+)" y="([\d.-]+)"', draw_flows(make_traffic(site=site), "")
    ):
        assert 0 < float(x) < 640
        assert 0 < float(y) < 360
