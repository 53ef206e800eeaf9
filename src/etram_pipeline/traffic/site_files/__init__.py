"""Formats of files with lines and zones, one module per format.

A module names its `SUFFIXES`, tells by `STATES_SIZE` whether its files state the size of the image
themselves, and turns the text of a file into a mapping for `Site` by `parse`, which raises a
`ValueError` that says what is wrong. A format is added by adding a file.
"""
