"""Errors a caller may want to catch. Everything else is a plain `ValueError`."""


class EtramError(Exception):
    """Base class of the project's errors; its message is written for the user."""


class RecordingError(EtramError, ValueError):
    """A recording cannot be read, or contradicts the format it claims to have."""


class LabelError(EtramError, ValueError):
    """A label file cannot be read, or is not a table of boxes."""


class NoLabelsError(LabelError):
    """No label of a recording survives the filters, so no frame can be learnt from."""


class StoreError(EtramError, ValueError):
    """Stored representations or labels are missing, damaged, or made with other settings."""


class BusyError(EtramError, RuntimeError):
    """Another process has what this one would write, or writes what this one would read."""


class ExecutorError(EtramError, RuntimeError):
    """Where jobs are to run cannot be started."""


class SettingsError(EtramError, ValueError):
    """Settings, each possible by itself, contradict each other or the data."""


class CheckpointError(EtramError, ValueError):
    """A checkpoint cannot be read, or does not describe a detector known here."""


class ProtocolError(EtramError, ValueError):
    """Results of different evaluation protocols were mixed, or a protocol is unknown."""
