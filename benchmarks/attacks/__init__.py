"""Hostile inputs for `parastitch`, one file a family, and what runs and judges them; see `benchmarks/attack.py`."""
