"""Scores of tracks: are the right boxes the same road user?"""
