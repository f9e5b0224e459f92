"""Strategies that weigh the losses and leave the update to another strategy; one file per method."""
