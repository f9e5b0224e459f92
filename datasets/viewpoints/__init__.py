"""Choosing the cameras of a pair: candidates are measured until a pair fits what the sample requests."""
