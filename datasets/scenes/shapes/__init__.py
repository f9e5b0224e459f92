"""Shapes that add textured triangles to a scene: boxes, bodies of revolution, outlines, terrain; the mesh builder."""
