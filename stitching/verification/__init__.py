"""Whether a stitch is right: what speaks for it, measured on the pictures after the warp, and the verdict."""
