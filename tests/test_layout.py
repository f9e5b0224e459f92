"""The layout of the packages: who may import whom, no circles, nothing private across files, small files."""

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {path.parent.name for path in ROOT.glob("*/__init__.py")}
MAY_IMPORT = {
    "stitching": {"stitching"},
    "mtl": {"mtl"},
    "datasets": {"datasets", "stitching"},
    "apps": {"apps", "datasets", "mtl", "stitching"},
}
# Rooms of the stitcher from the lowest to the highest: each imports from itself and from those before it.
STITCHING_ROOMS = (
    "stitching.errors",
    "stitching.at_once",
    "stitching.geometry",
    "stitching.lens",
    "stitching.io",
    "stitching.network",
    "stitching.alignment",
    "stitching.match_graph",
    "stitching.adjustment",
    "stitching.warping",
    "stitching.verification",
    "stitching.blending",
    "stitching",  # selection, options, inputs, summary, result, stitcher
    "stitching.mosaic",
    "stitching.reporting",
)
TORCH_FREE = ("stitching.network.interface", "stitching.network.runtime")  # all that a stitch needs of the networks
NEEDS_TORCH = "stitching.warping.estimators.ptlflow"  # imported only where a network of ptlflow is asked for
MAX_FILES, MAX_LINES = 14, 400


@cache
def modules() -> dict[str, Path]:
    """Every module of the packages and its file."""
    found = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


@cache
def imports(module: str, *, lazy: bool = True) -> frozenset[tuple[str, str]]:
    """(module, name) of all that a module imports; name "" for plain imports. Without `lazy` only when imported."""
    tree = ast.parse(modules()[module].read_text())
    inner = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
    inner |= {id(n) for i in ast.walk(tree) if isinstance(i, ast.If) for n in ast.walk(i)}  # TYPE_CHECKING
    found = set()
    for node in ast.walk(tree):
        if not lazy and id(node) in inner:
            continue
        if isinstance(node, ast.Import):
            found |= {(alias.name, "") for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                found.add((submodule, "") if submodule in modules() else (str(node.module), alias.name))
    return frozenset(found)


def room_of(module: str) -> int:
    """Number of the stitcher's room that a module belongs to."""
    inside = [room for room in STITCHING_ROOMS if module == room or module.startswith(f"{room}.")]
    return STITCHING_ROOMS.index(max(inside, key=len))


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_packages_import_only_those_below_them(package: str) -> None:
    forbidden = PACKAGES - MAY_IMPORT[package] | {"tests", "demo", "benchmarks"}
    for module in modules():
        if module.partition(".")[0] == package:
            assert not {imported.partition(".")[0] for imported, _ in imports(module)} & forbidden, module


def test_rooms_of_the_stitcher_import_only_those_below_them() -> None:
    wrong = [
        f"{module} imports {imported}"
        for module in modules()
        if module.startswith("stitching.")
        for imported, _ in imports(module)
        if imported.startswith("stitching.") and room_of(imported) > room_of(module)
    ]
    assert not wrong


def test_a_stitch_needs_only_the_parts_of_the_network_that_need_no_torch() -> None:
    wrong = [
        f"{module} imports {imported}"
        for module in modules()
        if module.startswith("stitching.") and not module.startswith(("stitching.network", NEEDS_TORCH))
        for imported, _ in imports(module, lazy=False)
        if imported == "torch" or (imported.startswith("stitching.network.") and not imported.startswith(TORCH_FREE))
    ]
    assert not wrong


def test_there_is_no_circle_of_imports() -> None:
    graph = {module: {m for m, _ in imports(module) if m in modules() and m != module} for module in modules()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' <- '.join(error.args[1])}")


def test_nothing_private_is_imported_from_another_file() -> None:
    wrong = [
        f"{module} imports {imported}.{name}"
        for module in modules()
        for imported, name in imports(module)
        if imported in modules() and name.startswith("_") and not name.startswith("__")
    ]
    assert not wrong


def test_files_and_folders_are_small() -> None:
    for folder in {path.parent for path in modules().values()}:
        name = folder.relative_to(ROOT).as_posix()
        files = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(files) <= MAX_FILES, name
    long = {str(path): lines for path in modules().values() if (lines := path.read_text().count("\n")) > MAX_LINES}
    assert not long


def test_only_packages_say_what_they_are_in_their_init_files() -> None:
    """An `__init__` imports nothing heavy: importing a room costs nothing."""
    for module, path in modules().items():
        if path.name == "__init__.py":
            heavy = {imported for imported, _ in imports(module, lazy=False)}
            heavy = {name for name in heavy if name.partition(".")[0] in {"torch", "cv2", "numpy", "onnxruntime"}}
            assert not heavy, module
