"""Variants of task priority and task groups, for the benchmark alone: which of their parts matters?"""
