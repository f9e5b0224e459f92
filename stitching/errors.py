"""What can go wrong, in two kinds: the user's input (exit code 2) and the job itself (exit code 1)."""


class InputError(ValueError):
    """The input cannot be used. The message is one line: what was received, what was expected, what to do."""


class JobError(RuntimeError):
    """The input was fine but the work failed, a full disk for example. The message is one line."""


def require(condition: bool, given: str, expected: str) -> None:
    """Raise InputError("<given>: expected <expected>") unless the condition holds; `given` names option and value."""
    if not condition:
        raise InputError(f"{given}: expected {expected}")


def one_line(error: Exception) -> str:
    """The message of a library's error on one line, cut to 200 characters; its type where it has none."""
    return " ".join(str(error).split())[:200] or type(error).__name__
