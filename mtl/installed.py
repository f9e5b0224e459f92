"""Whether packages that only some methods need are installed."""

from importlib.util import find_spec

from mtl.optimization import quoted


def check_installed(what: str, *packages: str) -> None:
    """Raise ValueError where a package is missing. what: needs them, for the message."""
    missing = [package for package in packages if find_spec(package) is None]
    if "ecos" in missing:
        raise ValueError(f"{what} needs ECOS, which is under the GPL and not installed: pip install cvxpy ecos")
    if missing:
        raise ValueError(f"{what} needs {quoted(missing)}, not installed: pip install 'parastitch[mtl]'")
