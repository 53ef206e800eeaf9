"""Suspected label errors as rows of a table, with the reason in words."""

from collections.abc import Sequence

from etram_pipeline.analysis.suspects import Suspect
from etram_pipeline.core.counts import counted

SUSPECT_COLUMNS = (
    "rank",
    "kind",
    "recording",
    "start_s",
    "stop_s",
    "middle_s",
    "class_found",
    "class_labelled",
    "track_id",
    "mean_score",
    "moments",
    "x",
    "y",
    "w",
    "h",
    "suspicion",
    "reason",
)
"""Columns of the table of suspects, also of an empty one."""


def suspect_rows(
    suspects: Sequence[Suspect], class_names: Sequence[str]
) -> list[dict[str, object]]:
    """One row for each suspect, ranked from 1.

    Args:
        suspects: Most suspicious first.
        class_names: Name of each class id.
    """
    return [
        {
            "rank": rank,
            "kind": each.kind,
            "recording": each.recording,
            **{
                f"{name}_s": round(time_us / 1e6, 6)
                for name, time_us in (
                    ("start", each.start_us),
                    ("stop", each.stop_us),
                    ("middle", each.middle_us),
                )
            },
            "class_found": _name(each.class_found, class_names),
            "class_labelled": _name(each.class_labelled, class_names),
            "track_id": "" if each.track_id is None else str(each.track_id),
            "mean_score": None if each.mean_score is None else round(each.mean_score, 3),
            "moments": each.num_moments,
            **{name: round(side, 1) for name, side in zip("xywh", each.box_xywh, strict=True)},
            "suspicion": round(each.suspicion, 3),
            "reason": _REASONS[each.kind](each, class_names),
        }
        for rank, each in enumerate(suspects, start=1)
    ]


def _name(class_id: int | None, class_names: Sequence[str]) -> str:
    return "" if class_id is None else class_names[class_id]


def _moments(each: Suspect) -> str:
    return counted(each.num_moments, "moment")


def _missing_label(each: Suspect, class_names: Sequence[str]) -> str:
    found = _name(each.class_found, class_names)
    return (
        f"a {found} is found in {_moments(each)} where nothing is labelled; "
        f"{100 * each.rate:.0f} % of what is found as {found} elsewhere is labelled"
    )


def _wrong_class(each: Suspect, class_names: Sequence[str]) -> str:
    found, labelled = (_name(one, class_names) for one in (each.class_found, each.class_labelled))
    return (
        f"labelled {labelled}, found as {found} in {_moments(each)}; "
        f"{100 * each.rate:.0f} % of the other {labelled} labels are found as {found}"
    )


def _ghost_label(each: Suspect, class_names: Sequence[str]) -> str:
    labelled = _name(each.class_labelled, class_names)
    return (
        f"labelled {labelled}, not found in {_moments(each)}; {100 * each.rate:.0f} % of the other "
        f"{labelled} labels of this size are found"
    )


def _misplaced_box(each: Suspect, class_names: Sequence[str]) -> str:
    labelled = _name(each.class_labelled, class_names)
    return (
        f"the {labelled} is found beside its label in {_moments(each)} (IoU {each.iou:.2f}); "
        f"{100 * each.rate:.0f} % of the other {labelled} labels fit better"
    )


_REASONS = {
    "missing_label": _missing_label,
    "wrong_class": _wrong_class,
    "ghost_label": _ghost_label,
    "misplaced_box": _misplaced_box,
}
