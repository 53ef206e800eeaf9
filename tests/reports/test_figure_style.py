"""Figures as text."""

import threading
from xml.etree import ElementTree

import matplotlib as mpl

from etram_pipeline.drawing import palette
from etram_pipeline.reports.figure_style import figure_svg, new_figure


def test_svg_takes_its_colours_and_font_from_the_page() -> None:
    figure, (axes,) = new_figure("Title", "about", height_in=3.0)
    axes.set_xlabel("recall")
    svg = figure_svg(figure)
    assert "var(--ink)" in svg
    assert palette.INK not in svg
    assert ">recall</text>" in svg


def test_svg_is_well_formed_scales_and_names_no_address_but_those_of_its_format() -> None:
    figure, _ = new_figure("Title", "<b>&</b> $x_1$", height_in=3.0)
    svg = figure_svg(figure)
    root = ElementTree.fromstring(svg)
    assert "width" not in root.attrib
    assert "viewBox" in root.attrib
    assert {link for link in svg.split('"') if link.startswith("http")} <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert "&lt;b&gt;&amp;&lt;/b&gt; $x_1$" in svg


def test_figure_is_the_same_text_every_time_and_leaves_matplotlib_as_it_was() -> None:
    before = mpl.rcParams["svg.fonttype"]
    texts = [figure_svg(new_figure("Title", "about", height_in=3.0)[0]) for _ in range(2)]
    assert texts[0] == texts[1]
    assert mpl.rcParams["svg.fonttype"] == before


def test_threads_write_figures_side_by_side() -> None:
    texts: list[str] = []

    def write() -> None:
        figure, (axes,) = new_figure("Title", "about", height_in=3.0)
        axes.plot([1, 2])
        texts.append(figure_svg(figure))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(texts) == 4
    assert len(set(texts)) == 1
