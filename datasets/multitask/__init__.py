"""Finite sets of generated pictures with label maps of several tasks."""
