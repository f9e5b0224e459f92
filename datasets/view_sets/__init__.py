"""Sets of pictures of one scene, seen by a row or a ring of cameras that also move, with exact ground truth."""
