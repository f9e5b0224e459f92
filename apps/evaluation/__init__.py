"""What `parastitch evaluate` is made of.

On pairs of photographs: comparison runs `methods` (ours, and `peers`) by method_run and timed_process, scores each run
by `measures`, and draws a contact_sheet. On generated pairs: truth_evaluation measures the warps of truth_methods
against the exact truth, truth_tables prints the means.
"""
