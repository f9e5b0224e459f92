"""Names of files that come from a web page."""

_LONGEST = 180  # bytes; file systems take 255 with what is added
_RESERVED = '<>:"|?*'  # on Windows, or by shells


def safe_name(given: str, default: str) -> str:
    """What is left of a name that may be used as a file's: no folders, no hidden files, nothing that cannot be printed.

    Args:
        given: by a user, or by anybody else.
        default: where nothing is left.
    """
    base = given.replace("\\", "/").rpartition("/")[2]
    printable = "".join(letter if letter.isprintable() and letter not in _RESERVED else "_" for letter in base)
    stem, dot, suffix = printable.strip(" .").rpartition(".")
    if not dot or len(suffix) > 10:
        stem, dot, suffix = printable.strip(" ."), "", ""
    short = stem.encode()[:_LONGEST].decode(errors="ignore").rstrip(" .")
    return f"{short}{dot}{suffix}" if short else default
