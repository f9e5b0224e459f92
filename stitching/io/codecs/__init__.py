"""Decoders and encoders of picture files, and what keeps them quiet."""
