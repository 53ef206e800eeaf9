"""Events in, boxes out, without PyTorch: windows of a stream, an exported detector, tracks."""
