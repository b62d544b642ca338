"""Everything that an error shows of what was at hand when it was raised."""

import pickle
import traceback


def everything_said(error: BaseException) -> str:
    """Return all that a traceback with its variables shows of an error, and its pickle."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(shown.format()) + repr(vars(error)) + repr(pickle.dumps(error))
