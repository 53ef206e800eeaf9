"""Object detection for traffic with event cameras."""

__version__ = "0.1.0"
