"""What an exported detector says about itself, in the metadata of its file."""

from typing import Any, Final, Literal

from pydantic import Field, FiniteFloat, model_validator

from etram_pipeline.core.component import Settings
from etram_pipeline.core.operating_scores import OperatingScores
from etram_pipeline.events.settings import EncodingSettings
from etram_pipeline.labels.suppression import SuppressionSettings

METADATA_KEY = "etram"
"""Name of the metadata property that holds a `Description` as JSON."""

FORMAT: Final = 1

Selection = Literal["suppression", "best", "best_of_queries"]


class FrameShape(Settings):
    """Shape of the frames that a file was exported for.

    Attributes:
        channels: Channels of the representation.
        height: Rows, in px of the representation.
        width: Columns, in px of the representation.
    """

    channels: int = Field(ge=1)
    height: int = Field(ge=1)
    width: int = Field(ge=1)


class TestVector(Settings):
    """Windows and what the detector found in them before it was exported.

    Attributes:
        frames: The windows, of shape (W, C, H, W) and the type of the input `frames`, compressed by
            zlib, as base64.
        num_windows: Number of windows; the memory is carried from each to the next.
        boxes_xyxy: Boxes of each window in px of the frame, best first.
        scores: Score of each box.
        class_ids: Class of each box.
    """

    __test__ = False  # not a test, whatever pytest makes of the name

    frames: str
    num_windows: int = Field(ge=1)
    boxes_xyxy: tuple[tuple[tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat], ...], ...]
    scores: tuple[tuple[FiniteFloat, ...], ...]
    class_ids: tuple[tuple[int, ...], ...]

    @model_validator(mode="after")
    def _check_lengths(self) -> "TestVector":
        numbers = [
            [len(window) for window in column]
            for column in (self.boxes_xyxy, self.scores, self.class_ids)
        ]
        if len(numbers[0]) != self.num_windows or numbers.count(numbers[0]) != len(numbers):
            raise ValueError(
                f"a test vector has boxes, scores and classes of each of its {self.num_windows} "
                "windows, equally many"
            )
        return self


class Description(Settings):
    """All that running an exported detector needs, beside the graph.

    The graph has the inputs `frames` (whole numbers, B x C x H x W) and `memory_0`, `memory_1`, …
    (`float32`, the lane first), and the outputs `boxes` (B x A x 4, corners in px of the frame),
    `objectness` (B x A x 1), `class_scores` (B x A x classes) and `next_memory_0`, ….

    Attributes:
        format: Version of this description.
        frames: Shape of one frame.
        class_names: Name of each class id.
        encoding: Windows and representation that the detector reads.
        downsampled_by: Px of the sensor per px of the frame, along each axis.
        selection: How predictions become detections. `suppression`: each anchor detects its
            likeliest class, and overlapping boxes are suppressed. `best`: the best pairs of query
            and class, without suppression. `best_of_queries`: likewise, but at most as many pairs
            as there are queries.
        suppression: Thresholds, unless whoever runs the file chooses others.
        operating_scores: Scores that were best in the validation recordings; None if not known.
        detector: Settings that the detector was built from.
        dataset_fingerprint: Identifies the data it was trained on; empty if not known.
        mlflow_run_id: The run that trained it; empty if it was not logged.
        checkpoint_fingerprint: Identifies the weights it was exported from.
        versions: Version of each package that took part in the export.
        test_vector: Windows and their detections, by which a device checks what it computes.
    """

    format: Literal[1] = FORMAT
    frames: FrameShape
    class_names: tuple[str, ...] = Field(min_length=1)
    encoding: EncodingSettings
    downsampled_by: int = Field(ge=1)
    selection: Selection = "suppression"
    suppression: SuppressionSettings = SuppressionSettings()
    operating_scores: OperatingScores | None = None
    detector: dict[str, Any] = Field(default_factory=dict)
    dataset_fingerprint: str = ""
    mlflow_run_id: str = ""
    checkpoint_fingerprint: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
    test_vector: TestVector | None = None
