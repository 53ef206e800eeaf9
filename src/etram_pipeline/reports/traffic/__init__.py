"""Tracks and traffic for people: the picture of a site, its pages, and what is drawn on videos."""
