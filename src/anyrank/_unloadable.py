"""Why a model cannot be loaded, and what to do about it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NOWHERE: Final = "is no folder that there is, and no name of a repository, as 'owner/model' is"

OF_THE_HUB: Final[Mapping[str, str]] = {
    "GatedRepoError": "is given only to who accepted its terms: accept them on its page, and set HF_TOKEN",
    "RepositoryNotFoundError": "is no repository that the hub shows you: check the name; a private one needs HF_TOKEN",
    "RevisionNotFoundError": "has no such revision: check revision=",
    "LocalEntryNotFoundError": (
        "is not on this machine, and the hub cannot be reached: download it where it can (`hf download`) and give its "
        "folder, or copy the cache; HF_HUB_OFFLINE=1 forbids to ask"
    ),
    "HFValidationError": NOWHERE,
    "FileNotFoundError": NOWHERE,
}
"""What the errors of huggingface_hub mean, by their names; the first that is among an error's causes counts."""

PICKLED: Final = (
    "has no weights in model.safetensors: a pickle can hold code, and is loaded only with pickled_weights=True, if you "
    "trust where it comes from"
)


def why(model: str, error: Exception, *, pickled: bool) -> str | None:
    """Return what is wrong with a model's files and what to do; None where its library's own words have to do.

    ``pickled`` is whether weights may be a pickle.
    """
    kinds = {type(each).__name__ for each in _chain(error)}
    if "SafetensorError" in kinds:
        return f"the weights of {model!r} are damaged ({error}): get them again"
    if "UnpicklingError" in kinds:
        return f"the pickled weights of {model!r} are damaged, or hold more than weights: get them again"
    folder = Path(model)
    wrong = _of_folder(folder, error) if folder.is_dir() else _of_name(kinds)
    if wrong is None and not pickled and isinstance(error, OSError) and "safetensors" in str(error):
        wrong = PICKLED
    if wrong is None and "Unrecognized configuration class" in str(error):
        wrong = "is of another kind than this scorer loads: look for its kind in its config.json"
    return wrong and f"{model!r} {wrong}"


def _of_name(kinds: set[str]) -> str | None:
    return next((means for kind, means in OF_THE_HUB.items() if kind in kinds), None)


def _of_folder(folder: Path, error: Exception) -> str | None:
    files = [file for file in sorted(folder.iterdir()) if not file.is_dir()]
    if unreadable := [file.name for file in files if not os.access(file, os.R_OK)]:
        named = ", ".join(unreadable[:3])
        return f"holds files that cannot be read ({named}): check their permissions, and where links lead"
    if not {"config.json", "modules.json"} & {file.name for file in files}:
        return "is no folder of a model, which holds a config.json: give the one that `save_pretrained` wrote"
    if damaged := [file.name for file in files if file.suffix == ".json" and not _is_json(file)]:
        return f"holds damaged files ({', '.join(damaged)}): get them again"
    if "mismatched" in str(error):
        return "has weights that are not of the shapes that its config.json says: get both from one source"
    if isinstance(error, OSError) and not any(file.suffix in (".safetensors", ".bin") for file in files):
        return "holds no weights: copy its model.safetensors into it"
    return None


def _is_json(file: Path) -> bool:
    try:
        json.loads(file.read_bytes())
    except ValueError:
        return False
    return True


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
