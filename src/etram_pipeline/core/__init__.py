"""The vocabulary shared by every part; imports nothing else of the project."""
