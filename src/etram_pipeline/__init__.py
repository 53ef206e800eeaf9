"""Object detection for traffic with event cameras."""
