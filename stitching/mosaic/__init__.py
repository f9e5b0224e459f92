"""Panoramas of any number of pictures: each is placed by a dense warp onto those placed before it."""
