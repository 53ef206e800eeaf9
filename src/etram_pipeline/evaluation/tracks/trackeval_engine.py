"""The same sums by TrackEval, the reference; for tests, and for those who want to be sure."""

from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float64

from etram_pipeline.core.errors import SettingsError
from etram_pipeline.evaluation.tracks.matching import Compared
from etram_pipeline.evaluation.tracks.protocol import TrackProtocol
from etram_pipeline.evaluation.tracks.sums import TrackSums, make_sums


def measure(compared: Compared, protocol: TrackProtocol) -> TrackSums:
    """Sums of the boxes of one recording.

    Raises:
        SettingsError: If TrackEval is not installed.
    """
    data = sequence(compared)
    hota, clear, identity = (metric.eval_sequence(data) for metric in metrics(protocol))
    counts = (
        clear
        | identity
        | {
            "tracks": data["num_tracker_ids"],
            "labelled_tracks": data["num_gt_ids"],
            **{name: clear[f"CLR_{name}"] for name in ("TP", "FN", "FP")},
        }
    )
    matched = hota["HOTA_TP"]
    sums = [matched * hota[name] for name in ("AssA", "AssRe", "AssPr", "LocA")]
    return make_sums(counts, float(clear["MOTP_sum"]), np.array([matched, *sums], np.float64))


def metrics(protocol: TrackProtocol) -> tuple[Any, Any, Any]:
    """TrackEval's HOTA, CLEAR and identity metrics, at the overlaps of a protocol."""
    trackeval = _library()
    options = {"THRESHOLD": protocol.match_iou, "PRINT_CONFIG": False}
    hota = trackeval.metrics.HOTA()
    hota.array_labels = np.array(protocol.iou_thresholds)
    return hota, trackeval.metrics.CLEAR(options), trackeval.metrics.Identity(options)


def sequence(compared: Compared) -> dict[str, Any]:
    """A recording as TrackEval takes it, with its own overlaps of boxes."""
    label_tracks, tracks = compared.label_tracks, compared.tracks_of_boxes
    label_starts, track_starts = compared.starts
    return {
        "seq": "recording",
        "num_timesteps": len(compared.moments_us),
        "num_gt_dets": len(compared.labels),
        "num_tracker_dets": len(compared.tracks),
        "num_gt_ids": len(label_tracks),
        "num_tracker_ids": len(tracks),
        "gt_ids": np.split(label_tracks.numbers, label_starts[1:-1]),
        "tracker_ids": np.split(tracks.numbers, track_starts[1:-1]),
        "similarity_scores": [
            _overlaps(labels, found)
            for labels, found in zip(
                np.split(compared.labels.boxes_xywh, label_starts[1:-1]),
                np.split(compared.tracks.boxes_xywh, track_starts[1:-1]),
                strict=True,
            )
        ],
    }


def _overlaps(
    labels: Float64[np.ndarray, "G 4"], tracks: Float64[np.ndarray, "T 4"]
) -> Float64[np.ndarray, "G T"]:
    dataset = _library().datasets.MotChallenge2DBox
    overlaps: Float64[np.ndarray, "G T"] = dataset._calculate_box_ious(labels, tracks)
    return overlaps


def _library() -> ModuleType:
    try:
        import trackeval
    except ModuleNotFoundError as error:
        raise SettingsError(
            "the engine trackeval is not installed: pip install -e '.[track-eval]', or use "
            "engine='own', which gives the same numbers"
        ) from error
    library: ModuleType = trackeval
    return library
