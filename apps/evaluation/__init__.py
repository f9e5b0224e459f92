"""What `parastitch evaluate` is made of.

On pairs of photographs: comparison runs `methods` (ours, and other stitchers; some by `programs`) by method_run and
timed_process, scores each run by `measures`, and draws a contact_sheet; photograph_tables prints averages. On generated
pairs: truth_evaluation measures the warps of warp_methods against the exact truth, truth_tables prints the means.
"""
