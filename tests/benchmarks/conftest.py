import sys
from pathlib import Path

# The benchmarks are scripts, each run from its own folder: they import each other by their plain names.
sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
