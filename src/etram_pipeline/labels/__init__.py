"""Ground truth: tables of boxes, filters and labelled frames; NumPy only."""
