"""Pictures and videos of events, boxes and tracks."""
