"""How a command ends: errors become one line, and an exit code."""

import errno
from collections.abc import Callable

from apps.command.interruption import Interrupted
from apps.command.standard_streams import output_error, tell
from stitching.errors import InputError, JobError, is_out_of_memory

OUT_OF_MEMORY = "not enough memory; use smaller pictures, for stitch --final-megapix, or fewer --jobs"


def exit_code_of(run: Callable[[], int]) -> int:
    """Run a command; returns the exit code: 0 done, 1 the job failed, 2 bad input, 128 + the number of a signal."""
    code, message, suspected = 1, "", False
    try:
        code = run()
    except SystemExit as stop:  # after a help
        code = int(stop.code or 0)
    except Interrupted as signalled:
        code, message = 128 + signalled.number, "" if signalled.told else _INTERRUPTED
    except KeyboardInterrupt:
        code, message = 130, _INTERRUPTED
    except JobError as error:
        message = str(error)
    except Exception as error:
        if is_out_of_memory(error):
            message = OUT_OF_MEMORY
        elif isinstance(error, InputError):
            code, message = 2, str(error)
        elif isinstance(error, OSError):
            message, suspected = str(error), error.filename is None
        else:
            raise
    lost = output_error(suspected)
    if lost and (suspected or not message):
        why = "it is closed" if lost.errno == errno.EBADF else lost.strerror
        gone = isinstance(lost, BrokenPipeError)  # who read it has seen enough
        code, message = max(code, 1), "" if gone else f"cannot write to standard output: {why}"
    if message:
        tell(message)
    return code


_INTERRUPTED = "interrupted; nothing was left half-written"
