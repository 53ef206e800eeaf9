"""COCO annotation file of a split: pictures, boxes and classes in one JSON file.

Category ids start at 1, as in COCO, where 0 is the background. File names of pictures are relative
to the picture folder of the split.

Source: COCO, https://cocodataset.org/#format-data, "Data format" and "Object Detection".
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from etram_pipeline.core.files import written_whole
from etram_pipeline.export.layout import Ledgers


def annotation_file(split: str) -> str:
    """Path of the COCO annotation file of a split, relative to the dataset."""
    return f"annotations/instances_{split}.json"


def write_coco(
    path: Path, ledgers: Ledgers, class_names: Sequence[str], info: dict[str, Any]
) -> None:
    """Write the annotations of a split item by item, so that memory use stays constant."""
    categories = [
        {"id": number, "name": name, "supercategory": ""}
        for number, name in enumerate(class_names, start=1)
    ]
    with written_whole(path) as partial, partial.open("w") as file:
        file.write(f'{{\n"info": {json.dumps(info)},\n"licenses": [],\n"categories": ')
        _write_list(file, categories)
        file.write(',\n"images": ')
        _write_list(file, _images(ledgers))
        file.write(',\n"annotations": ')
        _write_list(file, _annotations(ledgers))
        file.write("\n}\n")


def _write_list(file: IO[str], items: Iterable[dict[str, Any]]) -> None:
    separator = "[\n"
    for item in items:
        file.write(separator + json.dumps(item))
        separator = ",\n"
    file.write("[]" if separator == "[\n" else "\n]")


def _images(ledgers: Ledgers) -> Iterator[dict[str, Any]]:
    number = 0
    for key, ledger in ledgers():
        for frame in ledger.frames:
            number += 1
            yield {
                "id": number,
                "file_name": f"{frame.name}.png",
                "width": ledger.width,
                "height": ledger.height,
                "recording": key,
                "t_us": frame.time_us,
            }


def _annotations(ledgers: Ledgers) -> Iterator[dict[str, Any]]:
    image_number = number = 0
    for _, ledger in ledgers():
        for frame in ledger.frames:
            image_number += 1
            for class_id, *box_xywh in frame.boxes:
                # An id of 0 means "not matched" to COCO's evaluation.
                number += 1
                yield {
                    "id": number,
                    "image_id": image_number,
                    "category_id": class_id + 1,
                    "bbox": box_xywh,
                    "area": box_xywh[2] * box_xywh[3],
                    "iscrowd": 0,
                }
