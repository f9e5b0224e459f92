"""Training data for stitching networks: pairs with large parallax and their exact ground truth, made by ray casting."""
