"""RVT's layout on disk: reading, writing and compressing."""
