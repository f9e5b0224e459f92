"""Dense flow between the two pictures, and the warp that follows from it."""
