"""Stored representations and labels as batches of clips."""
