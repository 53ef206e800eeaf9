"""What an attribute of labels is, and how labels are put into bins by it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64

from etram_pipeline.labels.table import LabelTable
from etram_pipeline.stores.representation_store import StoredRepresentations

_LEAST_LABELS = 20
"""Labels of a bin between quantiles, at least; with fewer there are fewer bins."""


@dataclass(frozen=True)
class LabelledRecording:
    """What attributes of labels are measured from.

    Attributes:
        labels: All labels of the recording, in px of the sensor, in any order.
        height: Rows of the sensor.
        width: Columns of the sensor.
        histograms: Representations of its windows; None if there are none.
        every: Only every so many labelled moments may be looked up in the histograms.
    """

    labels: LabelTable
    height: int
    width: int
    histograms: StoredRepresentations | None = None
    every: int = 1


@dataclass(frozen=True)
class Bin:
    """A range of values.

    Attributes:
        name: For people and metrics.
        low: Least value, included.
        high: End of the values, not included.
    """

    name: str
    low: float
    high: float

    def holds(self, values: Float64[np.ndarray, " N"]) -> Bool[np.ndarray, " N"]:
        """Which values are in the range; unknown ones are in none."""
        inside: Bool[np.ndarray, " N"] = (values >= self.low) & (values < self.high)
        return inside


@dataclass(frozen=True)
class Attribute:
    """A property of labelled objects that detection may depend on.

    Attributes:
        name: Part of the names of metrics.
        title: For people, such as "speed".
        unit: Of the values, such as "px/s".
        measure: Value of each label of a recording; NaN where it is not known.
        needs: What it is measured from, for recordings in which no value is known.
        edges: Fixed ends of bins, ascending; the first is the least value there is.
        quantiles: Bins of about equally many labels from the last of the edges on.
        first: Word for the first bin; empty: its range.
        of_boxes: The same of any boxes `x y w h` in px on a sensor of some height and width; None
            if only labels have the attribute. Only then is there an average precision.
    """

    name: str
    title: str
    unit: str
    measure: Callable[[LabelledRecording], Float64[np.ndarray, " N"]]
    needs: str
    edges: tuple[float, ...]
    quantiles: int = 1
    first: str = ""
    of_boxes: Callable[[Float[np.ndarray, "N 4"], int, int], Float64[np.ndarray, " N"]] | None = (
        None
    )

    def bins(self, values: Float64[np.ndarray, " N"]) -> tuple[Bin, ...]:
        """Bins for the values of all labels that count; unknown ones are left out.

        Quantiles are rounded to two digits. They depend on labels alone, so the bins of two
        detectors that are evaluated on the same labels are the same.
        """
        rest = values[values >= self.edges[-1]]
        number = min(self.quantiles, len(rest) // _LEAST_LABELS)
        shares = np.arange(1, number) / max(number, 1)
        found = [float(f"{value:.2g}") for value in np.quantile(rest, shares)] if number else []
        edges = sorted({*self.edges, *(edge for edge in found if edge > self.edges[-1])})
        ends = [*edges[1:], np.inf]
        bins = [Bin(_name(low, high), low, high) for low, high in zip(edges, ends, strict=True)]
        if self.first:
            bins[0] = Bin(self.first, bins[0].low, bins[0].high)
        return tuple(bins)


def _name(low: float, high: float) -> str:
    return f"from {low:g}" if high == np.inf else f"{low:g} to {high:g}"
