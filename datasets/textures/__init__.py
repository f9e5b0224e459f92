"""Textures of surfaces: photographs, patterns, designs."""
