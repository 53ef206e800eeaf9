"""YOLO's files: the boxes of each picture, the pictures of each split, and what there is.

Pictures of a split are listed in a file, for a folder would also offer those that someone else put
there. Classes are numbered from 0.

Source: https://docs.ultralytics.com/datasets/detect, "Ultralytics YOLO format".
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from etram_pipeline.core.files import written_whole
from etram_pipeline.export.layout import BOXES_FOLDER, Box, Ledgers, picture_file

DATA_FILE = "data.yaml"


def box_lines(boxes: Iterable[Box], height: int, width: int) -> str:
    """A line for each box: class, centre, width and height, as shares of the picture's."""
    shares = (
        (class_id, (x + w / 2) / width, (y + h / 2) / height, w / width, h / height)
        for class_id, x, y, w, h in boxes
    )
    return "".join("{} {:.6f} {:.6f} {:.6f} {:.6f}\n".format(*share) for share in shares)


def list_file(split: str) -> str:
    """File that lists the pictures of a split, relative to the dataset."""
    return f"{split}.txt"


def cache_file(split: str) -> str:
    """Where Ultralytics keeps what it read of a split, relative to the dataset.

    It tells changed boxes by the sum of the files' sizes, which stays the same when only digits
    change, so the file has to go when boxes change.

    Source: Ultralytics, `ultralytics/data/utils.py`, `get_hash`.
    """
    return f"{BOXES_FOLDER}/{split}.cache"


def write_list(root: Path, split: str, ledgers: Ledgers) -> None:
    """List the pictures of a split, relative to the list, which `./` tells Ultralytics."""
    with written_whole(root / list_file(split)) as partial, partial.open("w") as lines:
        for _, ledger in ledgers():
            lines.writelines(f"./{picture_file(split, frame.name)}\n" for frame in ledger.frames)


def write_data_file(root: Path, splits: Sequence[str], class_names: Sequence[str]) -> None:
    """Say where pictures are listed, and what classes are called.

    There is no `path`: without one, lists are looked for beside this file, wherever it is moved.
    """
    # JSON's way to write a text is one of YAML's, for names that look like something else.
    names = (json.dumps(name, ensure_ascii=False) for name in class_names)
    lines = [f"{split}: {list_file(split)}" for split in splits]
    lines += ["names:", *(f"  {class_id}: {name}" for class_id, name in enumerate(names))]
    with written_whole(root / DATA_FILE) as partial:
        partial.write_text("".join(f"{line}\n" for line in lines))
