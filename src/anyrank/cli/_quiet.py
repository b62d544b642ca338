"""What the libraries beneath say of themselves: nothing of it is for who asked for a ranking."""

from __future__ import annotations

import logging
import os
import sys
import warnings

from . import _console

__all__ = ["hush"]


def hush() -> None:
    """Keep libraries that are not imported yet from writing to standard error, unless the environment asks for it.

    Their errors still come, and, while a person watches, the bars of what is downloaded: those alone say themselves
    whether they are shown, and do not heed ``TQDM_DISABLE``.
    """
    wanted = {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_VERBOSITY": "error", "TQDM_DISABLE": "1"}
    if not sys.stderr.isatty():
        wanted["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    if "HF_HUB_VERBOSITY" not in os.environ:
        _tell_of_retries()
    for name, value in wanted.items():
        os.environ.setdefault(name, value)
    if logging.lastResort:
        logging.lastResort.setLevel(logging.ERROR)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


def _tell_of_retries() -> None:
    """Say once that the hub does not answer: it is asked again for most of a minute, in which nothing else is seen."""
    logger = logging.getLogger("huggingface_hub.utils._http")

    def once(record: logging.LogRecord) -> bool:
        if "Retrying" in record.getMessage():
            _console.remark("the hub that models come from does not answer; it is asked again for up to a minute")
            logger.setLevel(logging.ERROR)
        return record.levelno >= logging.ERROR

    logger.setLevel(logging.WARNING)
    logger.addFilter(once)
