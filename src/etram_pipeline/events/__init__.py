"""Recordings, windows and event representations; NumPy only."""
