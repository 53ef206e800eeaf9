"""Detectors on their way out of the laboratory: export, parity, time, and rates of windows."""
