"""What `parastitch evaluate` is made of.

On pairs of photographs: comparison runs `methods` (ours, and other stitchers; some by `programs`) by method_run and
timed_process, and scores each run by `measures`. On generated pairs: truth_evaluation measures the warps of
warp_methods against the exact truth. `output` writes tables and contact sheets of both.
"""
