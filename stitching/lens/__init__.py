"""Lenses: how a photograph differs from the perspective picture that stitching takes it for."""
