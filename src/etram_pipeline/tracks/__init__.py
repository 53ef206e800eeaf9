"""From detections to tracks: which boxes are the same road user."""
