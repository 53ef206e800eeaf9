"""RVT's checkpoint files: names, layouts and reading them safely."""
