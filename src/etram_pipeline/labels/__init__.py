"""Ground truth: tables of boxes, filters and labelled frames; without PyTorch."""
