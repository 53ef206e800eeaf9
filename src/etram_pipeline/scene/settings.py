"""Parameters of the simulated scene."""

from pydantic import Field, model_validator

from etram_pipeline.core import etram
from etram_pipeline.core.component import Settings
from etram_pipeline.scene.signal import Signal


class SceneSettings(Settings):
    """One simulated recording: its sensor, its street and its traffic.

    Lengths in px and speeds scale with the sensor: the same street fills any sensor.

    Attributes:
        height: Rows of the sensor, in px.
        width: Columns of the sensor, in px.
        duration_s: Length of the recording, in seconds.
        night: Whether street lamps and headlights replace daylight; the sensor is then noisier and
            slower.
        density: Density of traffic; 1 shows about twelve road users at a time.
        class_weights: Share of the road users' time in view per class, relative to 1; a class with
            weight 0 does not appear.
        threshold: Mean contrast that triggers an event, as a difference of natural logarithms. A
            lower threshold gives more events.
        threshold_spread: Standard deviation of the threshold over pixels.
        refractory_us: Time for which a pixel is silent after an event, in microseconds.
        noise_hz: Rate of noise events per pixel by day; at night, the rate is ten times as high.
        num_hot_pixels: Hot pixels, for a sensor of 1280 x 720 px.
        step_us: Time between two pictures of the scene, in microseconds; events between them are
            interpolated.
        min_visible: Smallest visible share of a road user that is labelled.
        min_side_px: Shortest side of a labelled box, on a sensor with 384 rows.
        masks: Whether the visible pixels of each labelled road user are written, too.
        signal: Signal at which everybody but those on the pavements halts; they stay labelled
            while they cause no events. None: nobody halts.
    """

    height: int = Field(default=384, ge=32, le=4096)
    width: int = Field(default=640, ge=32, le=4096)
    duration_s: float = Field(default=5.0, gt=0)
    night: bool = False
    density: float = Field(default=1.0, gt=0, le=4)
    class_weights: dict[str, float] = Field(default_factory=dict)
    threshold: float = Field(default=0.4, ge=0.05, le=2)
    threshold_spread: float = Field(default=0.035, ge=0, le=0.2)
    refractory_us: int = Field(default=250, ge=1)
    noise_hz: float = Field(default=0.06, ge=0, le=20)
    num_hot_pixels: int = Field(default=24, ge=0)
    step_us: int = Field(default=4000, ge=100, le=10_000)
    min_visible: float = Field(default=0.35, ge=0, le=1)
    min_side_px: float = Field(default=10.0, ge=1)
    # Left out where they are off, so that recordings made before they existed stay valid.
    masks: bool = Field(default=False, exclude_if=lambda masks: not masks)
    signal: Signal | None = Field(default=None, exclude_if=lambda signal: signal is None)

    @model_validator(mode="after")
    def _check_classes(self) -> "SceneSettings":
        unknown = sorted(set(self.class_weights) - set(etram.CLASSES))
        if unknown:
            raise ValueError(f"class_weights name {unknown}, but the scene has {etram.CLASSES}")
        if min(self.class_weights.values(), default=1) < 0:
            raise ValueError("class_weights must not be negative")
        if not any(self.weight(name) for name in etram.CLASSES):
            raise ValueError("class_weights leave no class to appear")
        return self

    @property
    def scale(self) -> float:
        """Size of this sensor relative to 384 rows by 640 columns."""
        return min(self.height / 384, self.width / 640)

    @property
    def duration_us(self) -> int:
        """Length of the recording in whole steps, in microseconds."""
        return max(1, round(self.duration_s * 1e6 / self.step_us)) * self.step_us

    def weight(self, class_name: str) -> float:
        """Relative weight of a class."""
        return self.class_weights.get(class_name, 1.0)


class SceneRecordingsSettings(Settings):
    """A folder of simulated recordings, divided into splits like eTraM.

    Attributes:
        scene: Settings of all recordings; `night` is replaced according to `night_fraction`.
        num_train: Training recordings.
        num_val: Validation recordings.
        num_test: Test recordings.
        night_fraction: Share of night recordings in each split, rounded.
        seed: Seed of everything random; all recordings of a seed differ.
    """

    scene: SceneSettings = Field(default_factory=SceneSettings)
    num_train: int = Field(default=14, ge=0)
    num_val: int = Field(default=2, ge=0)
    num_test: int = Field(default=4, ge=0)
    night_fraction: float = Field(default=0.4, ge=0, le=1)
    seed: int = Field(default=0, ge=0)
