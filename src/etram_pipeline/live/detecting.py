"""One run of `etram-live`: from the source by way of the detector to the outputs."""

from contextlib import ExitStack, closing

from etram_pipeline.core.operating_scores import shown_score
from etram_pipeline.live.outputs import Tell, open_outputs, show
from etram_pipeline.live.sources import open_source
from etram_pipeline.live.stage import Stage
from etram_pipeline.live.stopping import StoppedError, Stopping
from etram_pipeline.live.summary import Summary
from etram_pipeline.live.teller import Teller
from etram_pipeline.live.wishes import Wishes
from etram_pipeline.streaming.cutter import JUMP_US
from etram_pipeline.streaming.kernels import compile_kernels
from etram_pipeline.streaming.live import LiveStream
from etram_pipeline.streaming.model import ExportedModel
from etram_pipeline.streaming.stream import HOLD, DetectionStream
from etram_pipeline.tracks.trackers import TrackerConfig

_WEAKEST_FOLLOWED = 0.1
"""Weaker detections neither start nor continue a track."""


def detect(model: ExportedModel, wishes: Wishes, tell: Tell) -> int | None:
    """Detect until the source ends or a signal comes; what was found is in the outputs then.

    Args:
        model: The detector.
        wishes: What is watched and shown.
        tell: Says a line to the user, such as those of the summary.

    Returns:
        Number of the signal that ended it; None at the end of the source.

    Raises:
        EtramError: If source or outputs cannot be opened, do not fit the detector, or fail.
        OSError: If an output cannot be written.
    """
    with Stopping() as stopping:
        try:
            _detect(model, wishes, tell, stopping)
        except StoppedError:
            tell("stopped before the first window")
        return stopping.received


def _detect(model: ExportedModel, wishes: Wishes, tell: Tell, stopping: Stopping) -> None:
    score = wishes.score
    if score is None:
        score = shown_score(model.description.operating_scores)
    if wishes.source.kind != "recording":
        compile_kernels()  # what others send would be lost meanwhile
    with ExitStack() as opened:
        source = open_source(wishes.source, speed=wishes.speed, size=wishes.sensor_size)
        opened.callback(source.close)
        outputs = open_outputs(wishes, _stage(model, wishes), tell, opened)
        size = source.size
        live = _live(model, wishes, size, score)
        encoding = model.description.encoding
        teller = Teller(model.description.class_names, size, score, encoding.representation)
        summary = Summary(1000 * encoding.windows.step_ms)
        try:
            with closing(live.run(source)) as results:
                for found in stopping.until_stopped(results):
                    summary.add(found)
                    if not show(outputs, teller.tell(found)):
                        break
            opened.close()
        finally:
            for line in summary.lines(live.report()):
                tell(line)


def _live(model: ExportedModel, wishes: Wishes, size: tuple[int, int], score: float) -> LiveStream:
    """The stream; what a recording gives is the same as when it is predicted."""
    tracker, weakest = None, score
    if wishes.has_tracks:
        tracker = TrackerConfig.model_validate({"kind": "static_camera"})
        weakest = min(score, _WEAKEST_FOLLOWED)
    chosen = model.description.suppression.model_copy(update={"score_threshold": weakest})
    is_recording = wishes.source.kind == "recording"
    stream = DetectionStream(
        model,
        *size,
        suppression=chosen,
        tracker=tracker,
        hold=0 if is_recording else HOLD,
        jump_us=None if is_recording else JUMP_US,
        keep_frames=wishes.page is not None or wishes.video is not None,
    )
    return LiveStream(
        stream,
        when_slow=wishes.when_slow,
        room=wishes.room,
        heartbeat_ms=wishes.source.heartbeat_ms,
    )


def _stage(model: ExportedModel, wishes: Wishes) -> Stage:
    description = model.description
    frames, factor = description.frames, description.downsampled_by
    return Stage(
        detector=model.path.name,
        source=wishes.source.text,
        size=(factor * frames.height, factor * frames.width),
        frame_size=(frames.height, frames.width),
        downsampled_by=factor,
        step_us=1000 * description.encoding.windows.step_ms,
        class_names=description.class_names,
    )
