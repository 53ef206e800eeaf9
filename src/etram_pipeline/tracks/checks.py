"""What trackers can use of the detections they are given."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool

from etram_pipeline.core.errors import TrackingError
from etram_pipeline.labels.detections import DetectionTable


def is_usable(detections: DetectionTable) -> Bool[np.ndarray, " N"]:
    """Whether each detection has a score, and a box with finite numbers and an area."""
    known = np.ones(len(detections), bool)
    for name in ("x", "y", "w", "h", "score"):
        known &= np.isfinite(detections[name])
    usable: npt.NDArray[np.bool_] = known & (detections["w"] > 0) & (detections["h"] > 0)
    return usable


def check_classes(detections: DetectionTable, class_names: Sequence[str]) -> None:
    """Check that the class of each detection has a name.

    Raises:
        TrackingError: If one has none.
    """
    if not len(detections):
        return
    class_ids = detections["class_id"]
    unknown = class_ids.max()
    if class_ids.dtype.kind == "i":  # of other programs, which write -1 for no class
        unknown = min(class_ids.min(), 0) or unknown
    if not 0 <= unknown < len(class_names):
        raise TrackingError(
            f"there are detections of class {unknown}, but only {len(class_names)} class names "
            f"({', '.join(class_names)}); give the names of all classes, in the order of their ids"
        )


def check_order(time_us: int, last_us: int | None) -> None:
    """Check that a window ends later than the previous one, if there was one.

    Raises:
        TrackingError: If it does not.
    """
    if last_us is not None and time_us <= last_us:
        raise TrackingError(
            f"a window ends at {time_us} us, but the previous one at {last_us} us; "
            "give every window once, in order of time"
        )
