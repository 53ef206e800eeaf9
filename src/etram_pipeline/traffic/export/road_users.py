"""Names of classes in OpenTrafficCam."""

OTHER = "other"

_NAMES = {
    "pedestrian": "pedestrian",
    "car": "car",
    "bicycle": "bicyclist",
    "bus": "bus",
    "motorbike": "motorcyclist",
    "truck": "truck",
    "tram": "train",
    "wheelchair": OTHER,
}
"""Names of OpenTrafficCam by names of eTraM."""


def road_user(class_name: str, unknown: str = OTHER) -> str:
    """The name that OpenTrafficCam gives a class.

    Args:
        class_name: Name of eTraM, or of OpenTrafficCam itself.
        unknown: The result for all other names.

    Source: OpenTrafficCam/OTAnalytics, `OTAnalytics/domain/otc_classes.py`.
    """
    is_theirs = class_name in _NAMES.values()
    return class_name if is_theirs else _NAMES.get(class_name, unknown)
