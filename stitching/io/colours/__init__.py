"""Colour profiles (ICC.1:2022): made, compared, and pictures converted from one to another."""
