#!/usr/bin/env bash
# Ten minutes on a machine with one GPU and no network: measures, trains on from the best weights, leaves the result.
#
#   OUT=FOLDER benchmarks/gpu.sh [options of benchmarks/gpu.py; --help lists them]
#
# Needs python3 (or $PYTHON) with a torch that can use the GPU. Packages that are missing there travel as wheels in the
# folder .whl of this repository (`pip download --no-deps -d .whl ...`); those that are there are replaced by them. Beside
# PyTorch, Lightning, OpenCV 4.13, scikit-image, SciPy, TensorBoard, safetensors and rich it takes albumentations, albucore,
# pydantic, pydantic-core, annotated-types, simsimd, stringzilla, kornia, kornia-rs, tyro, typeguard and docstring-parser.
set -euo pipefail
: "${OUT:?names no folder for the results}"
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
export PYTHONPATH=$PWD PYTHONUNBUFFERED=1
if compgen -G '.whl/*.whl' >/dev/null; then
    site=$(mktemp -d)
    "$python" -m pip install --quiet --no-index --no-deps --no-compile --no-cache-dir --target "$site" .whl/*.whl
    PYTHONPATH=$site:$PYTHONPATH
fi
exec "$python" benchmarks/gpu.py --output "$OUT" --spent "$SECONDS" "$@"
