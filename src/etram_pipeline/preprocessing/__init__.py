"""Filtering of labels and encoding of recordings."""
