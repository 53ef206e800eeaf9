"""Figures, pages and videos made from saved results."""
