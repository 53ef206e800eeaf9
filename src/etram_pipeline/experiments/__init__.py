"""Experiments: hypotheses, launching, ranking and comparing; they only arrange `kedro run`."""
