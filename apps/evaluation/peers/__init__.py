"""Other stitchers that `parastitch evaluate` runs, each in a process of its own."""
