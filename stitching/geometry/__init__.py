"""Where pixels are: maps of pixels, homographies, the canvas. Everything is in px, x before y.

Pixel (0, 0) is the centre of the first pixel, so a picture of w px covers x from -0.5 to w - 0.5, and enlarging it
s times moves a point p to (p + 0.5) s - 0.5. Sizes are (width, height); arrays are (height, width[, channels]).
"""
