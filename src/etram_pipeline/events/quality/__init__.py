"""What the events of a recording tell about its quality, from one pass over them."""
