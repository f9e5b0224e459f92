"""Stitches that the page asks for, each in a process of its own."""
