"""What `parastitch evaluate` runs in processes of their own: other stitchers, and warps of ours for measuring."""
