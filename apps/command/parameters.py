"""The options that a command's function stands for, and the same function with other defaults."""

import copy
import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, get_args, get_origin, get_type_hints

Command = Callable[..., int | None]


def option_types(command: Command) -> dict[str, Any]:
    """Name -> annotation of each option: of parameters, and of the fields of those that are dataclasses.

    Arguments without a name on the command line are none.
    """
    import tyro

    positional = get_args(tyro.conf.Positional[int])[1]
    found: dict[str, Any] = {}
    for name, hint in get_type_hints(command, include_extras=True).items():
        if name == "return" or positional in get_args(hint):
            continue
        if dataclasses.is_dataclass(kind := _plain(hint)):
            found |= get_type_hints(kind, include_extras=True)
        else:
            found[name] = hint
    return found


def with_defaults(command: Command, values: Mapping[str, Any]) -> Command:
    """The command whose options have these values where nobody gives others."""

    @functools.wraps(command)
    def called(*args: Any, **options: Any) -> int | None:
        return command(*args, **options)

    signature = inspect.signature(command)
    hints = get_type_hints(command)
    parameters = []
    for name, parameter in signature.parameters.items():
        default = values.get(name, parameter.default)
        if dataclasses.is_dataclass(hints[name]) and not isinstance(default, type):
            fields = {field.name for field in dataclasses.fields(default)}
            default = _unchecked(default, {key: values[key] for key in fields & set(values)})
        parameters.append(parameter.replace(default=default, kind=inspect.Parameter.KEYWORD_ONLY))
    called.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return called


def _unchecked(options: Any, values: Mapping[str, Any]) -> Any:
    """A copy with other values, not checked together: the command line may add what makes them fit."""
    changed = copy.copy(options)
    for name, value in values.items():
        object.__setattr__(changed, name, value)
    return changed


def _plain(hint: Any) -> Any:
    """A type without what is noted beside it."""
    return get_args(hint)[0] if get_origin(hint) is not None and hasattr(hint, "__metadata__") else hint
