"""Pairs with exact truth made from photographs: a background and cut-out layers in front of it, each moved."""
