"""Kedro datasets: how the catalog loads and saves data.

Datasets of stores start a computation on saving: a node returns jobs, and saving runs those whose
result is missing or out of date. The computations themselves are in the rooms below.
"""
