"""How a detector does when the events are not those that it was trained on."""
