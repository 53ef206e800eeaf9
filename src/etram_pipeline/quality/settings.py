"""What counts as a fault of a recording."""

from pydantic import Field

from etram_pipeline.core.component import Settings


class QualitySettings(Settings):
    """Thresholds of the quality report; they change what is reported, never what is encoded.

    Attributes:
        gap_ms: A stretch without events that lasts longer is a gap. A label has an empty window
            if no event falls into the time of this length that ends at the label.
        hot_pixel_hz: Least mean rate of a hot pixel.
        hot_pixel_factor: How many times as often as its surroundings a hot pixel fires at least.
            These are the second most active of the 5 x 5 pixels around: moving things, edges and
            lamps cover several pixels, and another hot pixel close by only one.
    """

    gap_ms: int = Field(default=50, ge=1)
    hot_pixel_hz: float = Field(default=10, gt=0)
    hot_pixel_factor: float = Field(default=3, gt=1)
