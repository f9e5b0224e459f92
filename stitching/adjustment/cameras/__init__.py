"""Cameras of a set: turning in one place, or moving too; and which way is up."""
