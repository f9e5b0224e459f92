"""What `parastitch stitch` does around a stitch: its outputs, for a pair and for many pictures."""
