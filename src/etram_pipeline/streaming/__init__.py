"""Events in, boxes out, without PyTorch: windows cut from a stream, an exported detector, tracks."""
