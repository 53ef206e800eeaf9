"""Why detections are wrong, on which objects, and how far their scores can be trusted."""
