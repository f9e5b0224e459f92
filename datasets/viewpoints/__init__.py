"""Choosing the cameras of a pair: what is requested of them, and the search for a pair that fits the request."""
