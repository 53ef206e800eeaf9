"""Measures recordings and label files, and derives what is wrong with them.

Measured and stored, one job per recording (`job`): `event_quality` and `label_quality`. Derived
from the stored measurements of all recordings (`survey`): the extent of each fault (`checks`), its
severity and remedy (`rules`), the faults found (`findings`), and the table (`table`).
"""
