"""The small detector and the recordings of the tests of training."""

from tests.training.conftest import blueprint, one_thread, record

__all__ = ["blueprint", "one_thread", "record"]
