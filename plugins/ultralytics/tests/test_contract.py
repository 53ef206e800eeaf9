"""What every detector of the project promises, for models of Ultralytics."""

from tests.models.test_detectors import *  # noqa: F403  # the tests, run with the fixtures beside
