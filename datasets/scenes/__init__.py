"""Scenes for the renderer: recipes that build random ones (`recipes.RECIPES`), and users' meshes (`mesh_file`)."""
