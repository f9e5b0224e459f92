"""Where pixels are: maps of pixels, homographies, the canvas."""
