from pathlib import Path

import yaml

from etram_pipeline.export.layout import ExportedFrame, Ledger
from etram_pipeline.export.yolo import box_lines, write_data_file, write_list


def test_a_box_is_its_class_and_shares_of_the_picture() -> None:
    boxes = [(1, 16.0, 9.0, 32.0, 18.0), (0, 0.0, 0.0, 64.0, 36.0)]
    assert box_lines(boxes, height=36, width=64) == (
        "1 0.500000 0.500000 0.500000 0.500000\n0 0.500000 0.500000 1.000000 1.000000\n"
    )


def test_no_boxes_are_no_lines() -> None:
    assert box_lines([], height=36, width=64) == ""


def test_classes_keep_their_names_whatever_these_look_like(tmp_path: Path) -> None:
    names = ("no", "12", "a: b", "été", 'say "hi"')
    write_data_file(tmp_path, ["train", "val"], names)
    data = yaml.safe_load((tmp_path / "data.yaml").read_text())
    assert data == {"train": "train.txt", "val": "val.txt", "names": dict(enumerate(names))}


def test_pictures_are_listed_relative_to_the_list(tmp_path: Path) -> None:
    frame = ExportedFrame(name="a_0000100000", time_us=100_000, boxes=())
    ledger = Ledger(files=(), width=1, height=1, frames=(frame,))
    write_list(tmp_path, "val", lambda: [("val/a", ledger)])
    (line,) = (tmp_path / "val.txt").read_text().splitlines()
    assert line == "./images/val/a_0000100000.png"
