"""Live programs: events from a network, a camera or a file; boxes to a page or a file."""
