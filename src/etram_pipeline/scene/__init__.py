"""Simulates a traffic scene recorded by an event camera."""
