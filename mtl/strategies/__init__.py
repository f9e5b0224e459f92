"""Strategies that decide how the gradients of several tasks move the parameters; one file per method."""
