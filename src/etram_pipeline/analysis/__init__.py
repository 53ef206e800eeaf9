"""What detections do wrong, and which labels are suspect; from stored tables alone."""
