"""Thresholds of the quality report."""

from pydantic import Field

from etram_pipeline.core.component import Settings


class QualitySettings(Settings):
    """Thresholds of the quality report; they never affect what is encoded.

    Attributes:
        gap_ms: A longer time without events is a gap, in milliseconds. The window of a label is
            empty if no event lies in the time of this length that ends at the label.
        hot_pixel_hz: Lowest mean rate of a hot pixel, in events per second.
        hot_pixel_factor: Lowest ratio between the rate of a hot pixel and that of the second most
            active of the 5 x 5 pixels around it. Moving objects, edges and lamps cover several
            pixels, while another hot pixel nearby is only one.
    """

    gap_ms: int = Field(default=50, ge=1)
    hot_pixel_hz: float = Field(default=10, gt=0)
    hot_pixel_factor: float = Field(default=3, gt=1)
