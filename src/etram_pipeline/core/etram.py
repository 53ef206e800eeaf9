"""The classes of eTraM, which named protocols score and which the embedded scene shows."""

CLASSES = (
    "pedestrian",
    "car",
    "bicycle",
    "bus",
    "motorbike",
    "truck",
    "tram",
    "wheelchair",
)
"""Classes in the order of their ids.

Source: eTraM, `rvt_eTram/gen4_class_labels.py`.
"""

SUPER_CLASSES = {
    "pedestrian": ("pedestrian",),
    "vehicle": ("car", "bus", "truck", "tram"),
    "micro_mobility": ("bicycle", "motorbike", "wheelchair"),
}
"""Super-classes in the order of their ids, each with the classes it gathers.

Source: the authors' answer in eTraM issue 6; the order is that of eTraM's
`ultralytics_eTram/yolo_eTram/data_baseline.yaml`.
"""
