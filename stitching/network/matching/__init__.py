"""Matching the cells of two pictures: their descriptions, the logits of all with all, the best matches."""
