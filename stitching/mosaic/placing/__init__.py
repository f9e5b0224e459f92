"""Places pictures on the working canvas, each by a dense warp onto those placed before it."""
