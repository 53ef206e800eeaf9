"""Lists of the moments of a recording that were looked at, whether they show an object or not."""

from pathlib import Path

import numpy as np
from jaxtyping import Int64

from etram_pipeline.core.errors import LabelError

MOMENTS_SUFFIX = "_annotated.npy"
_LABEL_SUFFIX = "_bbox"


def find_moments(label_path: Path) -> Path | None:
    """The list of moments beside a label file; None if there is none."""
    path = label_path.with_name(label_path.stem.removesuffix(_LABEL_SUFFIX) + MOMENTS_SUFFIX)
    return path if path.is_file() else None


def read_moments(path: Path) -> Int64[np.ndarray, " M"]:
    """The moments in a list, in microseconds; ascending, each of them once.

    Raises:
        LabelError: If the file is damaged or holds anything else than a list of whole numbers.
    """
    try:
        moments = np.load(path, allow_pickle=False)
    except Exception as error:  # damage makes NumPy, and what reads for it, raise anything
        raise LabelError(f"{path} is missing or damaged: {error}") from error
    if moments.ndim != 1 or moments.dtype.kind not in "iu":
        raise LabelError(
            f"{path} holds {moments.dtype} of shape {moments.shape}, but must hold a list of whole "
            "numbers, the annotated moments in microseconds"
        )
    return np.unique(moments.astype(np.int64))
