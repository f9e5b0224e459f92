"""Optical-flow networks of other people in the place of PWM."""
