"""Kedro datasets: how the catalog loads and saves data.

Datasets of stores compute on saving: a node returns jobs, and saving runs the jobs whose result is
missing or out of date. The computations themselves are in other packages.
"""
