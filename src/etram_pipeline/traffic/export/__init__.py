"""Tracks, lines and counts in the files of other tools.

Tables are written in parts, so that memory does not grow with the length of a recording, and each
file completely or not at all.
"""
