"""YOLO's files: boxes of each picture, picture list of each split, and the dataset file.

The pictures of a split are listed in a file, because a folder may contain other pictures too. Class
ids start at 0.

Source: https://docs.ultralytics.com/datasets/detect, "Ultralytics YOLO format".
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from etram_pipeline.core.files import written_whole
from etram_pipeline.export.layout import BOXES_FOLDER, Box, Ledgers, picture_file

DATA_FILE = "data.yaml"


def box_lines(boxes: Iterable[Box], height: int, width: int) -> str:
    """One line per box: class id, centre, width and height, relative to the size of the picture."""
    shares = (
        (class_id, (x + w / 2) / width, (y + h / 2) / height, w / width, h / height)
        for class_id, x, y, w, h in boxes
    )
    return "".join("{} {:.6f} {:.6f} {:.6f} {:.6f}\n".format(*share) for share in shares)


def list_file(split: str) -> str:
    """Path of the picture list of a split, relative to the dataset."""
    return f"{split}.txt"


def cache_file(split: str) -> str:
    """Path of the cache in which Ultralytics keeps a split, relative to the dataset.

    Ultralytics detects changes by the total size of the files, which stays the same when only
    digits change. The cache must therefore be removed when boxes change.

    Source: Ultralytics, `ultralytics/data/utils.py`, `get_hash`.
    """
    return f"{BOXES_FOLDER}/{split}.cache"


def write_list(root: Path, split: str, ledgers: Ledgers) -> None:
    """Write the picture list of a split; Ultralytics resolves `./` relative to the list."""
    with written_whole(root / list_file(split)) as partial, partial.open("w") as lines:
        for _, ledger in ledgers():
            lines.writelines(f"./{picture_file(split, frame.name)}\n" for frame in ledger.frames)


def write_data_file(root: Path, splits: Sequence[str], class_names: Sequence[str]) -> None:
    """Write the dataset file, with the picture lists and the class names.

    It has no `path`, so Ultralytics looks for the lists next to it, even after the dataset moved.
    """
    # JSON strings are valid YAML, and quote names that YAML would read as another type.
    names = (json.dumps(name, ensure_ascii=False) for name in class_names)
    lines = [f"{split}: {list_file(split)}" for split in splits]
    lines += ["names:", *(f"  {class_id}: {name}" for class_id, name in enumerate(names))]
    with written_whole(root / DATA_FILE) as partial:
        partial.write_text("".join(f"{line}\n" for line in lines))
