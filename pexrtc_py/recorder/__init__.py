"""Tracks to files: safe, in sync, with what was said and by whom beside them."""
