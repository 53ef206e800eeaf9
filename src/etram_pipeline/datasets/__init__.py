"""Kedro datasets: reading and writing, no computation."""
