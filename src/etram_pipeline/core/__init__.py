"""Types and helpers shared by all packages; imports nothing else of the project."""
