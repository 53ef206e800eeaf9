"""Searches for better parameters: each trial is one training, and MLflow keeps the list of them."""
