"""Properties of a dataset: its sensor and its classes."""

from pydantic import Field, field_validator, model_validator

from etram_pipeline.core.component import Settings
from etram_pipeline.core.recording import Clock

SPLITS = ("train", "val", "test")


class DatasetSettings(Settings):
    """Sensor and classes of a dataset.

    Attributes:
        height: Rows of the sensor in px, for recordings that do not state them.
        width: Columns of the sensor in px, likewise.
        class_names: Name of each class id in the label files, in order.
        class_groups: Super-classes to detect instead, each with its classes; a class in no group is
            not detected. If empty, the classes themselves are detected.
        clock: Which moment of a recording has the time 0, see `core.recording.Clock`.
        label_set: Name of the label set, shown in runs and reports.
    """

    height: int = Field(gt=0)
    width: int = Field(gt=0)
    class_names: tuple[str, ...] = Field(min_length=1)
    class_groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    label_set: str = "8-class"
    clock: Clock = Field(default="file", exclude_if=lambda value: value == "file")

    @field_validator("class_names")
    @classmethod
    def _check_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not all(name.strip() for name in names):
            raise ValueError(f"class_names {names} leave a class without a name")
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(
                f"class_names give {repeated} to several class ids: name them differently, and "
                "gather them by class_groups if they are to be one class"
            )
        return names

    @model_validator(mode="after")
    def _check_groups(self) -> "DatasetSettings":
        members = [name for group in self.class_groups.values() for name in group]
        unknown = sorted(set(members) - set(self.class_names))
        if unknown:
            raise ValueError(f"class_groups name {unknown}, but class_names are {self.class_names}")
        if len(members) != len(set(members)):
            raise ValueError("class_groups put a class into two groups")
        return self

    @property
    def detected_classes(self) -> tuple[str, ...]:
        """Names of the classes a detector distinguishes, in the order of their ids."""
        return tuple(self.class_groups) or self.class_names
