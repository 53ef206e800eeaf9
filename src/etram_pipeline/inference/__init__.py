"""A trained detector over recordings."""
