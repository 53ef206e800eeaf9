"""Detectors and the parts they are built from; torch only."""
