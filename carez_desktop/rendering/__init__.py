"""Pixels of slices and the annotations over them, as plain data; no Qt."""
