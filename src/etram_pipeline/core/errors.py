"""Errors that a caller may want to catch; all others are built-in exceptions."""


class EtramError(Exception):
    """Base class of the project's errors; its message is written for the user."""


class RecordingError(EtramError, ValueError):
    """A recording cannot be read, or contradicts the format it claims to have."""


class LabelError(EtramError, ValueError):
    """A label file cannot be read, or is not a table of boxes."""


class NoLabelsError(LabelError):
    """No label of a recording is left after the filters, so it has no labelled frame."""


class StoreError(EtramError, ValueError):
    """Stored representations or labels are missing, damaged, or made with other settings."""


class BusyError(EtramError, RuntimeError):
    """Another process is using a file or folder that this one needs."""


class ExecutorError(EtramError, RuntimeError):
    """The executor that should run the jobs cannot be started."""


class SettingsError(EtramError, ValueError):
    """Settings that are valid one by one contradict each other or the data."""


class CheckpointError(EtramError, ValueError):
    """A checkpoint cannot be read, or describes an unknown detector."""


class ExportError(CheckpointError):
    """A detector cannot be exported, or an exported file cannot be read, or does not fit."""


class ParityError(EtramError, ValueError):
    """An exported detector does not compute what the detector of its checkpoint computes."""


class ProtocolError(EtramError, ValueError):
    """Results of different evaluation protocols were mixed, or a protocol is unknown."""


class TrackingError(EtramError, ValueError):
    """Windows or detections cannot be followed, such as windows that are not in order of time."""


class SiteError(EtramError, ValueError):
    """A file of lines and zones cannot be read, contradicts itself, or does not fit the sensor."""


class TooSlowError(EtramError, RuntimeError):
    """The detector of a live stream does not keep up with its source."""


class SourceError(EtramError, RuntimeError):
    """A source of events cannot be opened, or has ended unexpectedly."""
