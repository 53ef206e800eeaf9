"""The values that scores of tracks consist of."""

from etram_pipeline.evaluation.metrics import Value

_ANY = float("-inf")
_OF_SWITCHES = "Times that a labelled track is matched to another track than before."
_OF_FRAGMENTS = "Times that a labelled track is matched again after a miss."
_OF_LOST = "Labelled tracks matched at less than 20 % of their moments."

VALUES = (
    Value("HOTA", "HOTA", "Geometric mean of DetA and AssA, over overlaps from 0.05 to 0.95."),
    Value("DetA", "DetA", "How well boxes are found: right boxes of all boxes and labels."),
    Value("AssA", "AssA", "How well boxes are kept together: right boxes shared by two tracks."),
    Value("DetRe", "DetRe", "Share of labels that are found."),
    Value("DetPr", "DetPr", "Share of track boxes that are right."),
    Value("AssRe", "AssRe", "Share of a labelled track that its best track covers."),
    Value("AssPr", "AssPr", "Share of a track that is one and the same labelled track."),
    Value("LocA", "LocA", "Mean overlap of matched boxes."),
    Value(
        "MOTA",
        "MOTA",
        "1 minus misses, false boxes and identity switches per label; may be negative.",
        lowest=_ANY,
    ),
    Value("MOTP", "MOTP", "Mean overlap of boxes matched for MOTA."),
    Value("IDF1", "IDF1", "F1 of boxes, if each labelled track may have a single track."),
    Value("IDR", "IDR", "Recall of boxes, likewise."),
    Value("IDP", "IDP", "Precision of boxes, likewise."),
)
"""Values of all recordings, classes and groups, in the order of the metrics file.

Source: Luiten et al., "HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking", IJCV
2021;
Bernardin and Stiefelhagen, "Evaluating Multiple Object Tracking Performance: The CLEAR MOT
Metrics", EURASIP 2008; Ristani et al., "Performance Measures and a Data Set for Multi-Target,
Multi-Camera Tracking", ECCV Workshops 2016.
"""

HEADLINE = ("HOTA", "DetA", "AssA", "MOTA", "IDF1")
"""The values that matter most."""

COUNTS = (
    Value("IDSW", "Switches", _OF_SWITCHES, higher_is_better=False),
    Value("Frag", "Fragments", _OF_FRAGMENTS, higher_is_better=False),
    Value("MT", "Mostly tracked", "Labelled tracks matched at more than 80 % of their moments."),
    Value("PT", "Partly tracked", "Labelled tracks matched at 20 to 80 % of their moments."),
    Value("ML", "Mostly lost", _OF_LOST, higher_is_better=False),
    Value("TP", "Right boxes", "Track boxes matched to a label."),
    Value("FN", "Missed labels", "Labels without a matched track box.", higher_is_better=False),
    Value("FP", "False boxes", "Track boxes without a matched label.", higher_is_better=False),
    Value("IDTP", "Right by identity", "Right boxes if a labelled track may have one track only."),
    Value("IDFN", "Missed by identity", "Missed labels, likewise.", higher_is_better=False),
    Value("IDFP", "False by identity", "False boxes, likewise.", higher_is_better=False),
    Value("tracks", "Tracks", "Tracks with a box at a moment that is compared."),
    Value("labelled_tracks", "Labelled tracks", "Tracks of the labels that count."),
)
"""Counts at the overlap `match_iou`, which add up over recordings and classes."""
