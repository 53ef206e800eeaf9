"""Keys of recordings: the split and the name, written as `<split>/<name>`.

Files, tables, the catalog and MLflow hold the text, and so do mappings by recording: evaluation and
inference accept any name. Code that needs the split or the name parses the text here.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RecordingKey:
    """A recording of a dataset.

    Attributes:
        split: The split, such as `train`.
        name: The name within the split; it may contain further slashes.
    """

    split: str
    name: str

    @classmethod
    def parse(cls, text: str) -> "RecordingKey":
        """The key that a text stands for.

        Raises:
            ValueError: If the text is not `<split>/<name>`.
        """
        split, _, name = text.partition("/")
        if not (split and name):
            raise ValueError(f"{text!r} is not the key of a recording, <split>/<name>")
        return cls(split, name)

    def __str__(self) -> str:
        return f"{self.split}/{self.name}"


def in_splits(keys: Iterable[str], splits: Collection[str]) -> list[str]:
    """The keys of recordings in some splits, in their order."""
    return [key for key in keys if RecordingKey.parse(key).split in splits]
