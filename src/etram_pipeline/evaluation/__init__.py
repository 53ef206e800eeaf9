"""Detections and labels to metrics; NumPy only, no model needed."""
