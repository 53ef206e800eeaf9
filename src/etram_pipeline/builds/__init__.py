"""The engine that computes what is missing or out of date."""
