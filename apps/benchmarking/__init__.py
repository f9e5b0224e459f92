"""`parastitch mtl-bench`: the same network trained with every multi-task optimizer."""
