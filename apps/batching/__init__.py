"""Stitching many sets of pictures: which they are, each of them in a process of its own, what was done."""
