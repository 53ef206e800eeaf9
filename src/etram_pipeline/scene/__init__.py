"""A simulated traffic scene seen by an event camera."""
