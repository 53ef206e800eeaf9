"""Recordings, windows and event representations; without PyTorch."""
