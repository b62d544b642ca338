"""Images as documents of a local model: what a data URI holds, and what nobody asked to be fetched is not."""

from __future__ import annotations

from base64 import b64decode
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote_to_bytes

from ._registry import require
from .errors import TextError

if TYPE_CHECKING:
    from collections.abc import Callable

ImageLoader: TypeAlias = "Callable[[str], Any]"
"""Turns the URL of an image into an image of Pillow, or into the bytes of its file."""


def picture(source: str, loader: ImageLoader | None) -> Any:
    """Return an image of Pillow, in RGB and upright.

    Without a loader only a data URI is read: documents may come from anywhere, and whoever wrote one must not choose
    what this machine fetches from its network or its disk. Raises `TextError` for anything else, and for what is no
    image; what the loader raises is left as it is.
    """
    if loader is not None:
        found = loader(str(source))
    elif source.startswith("data:"):
        found = _data(source)
    else:
        msg = (
            f"the image {source!r:.80} is not fetched by a model in this process, which would let a document choose "
            "what is fetched from here: give it as a data URI, or a load_image= function that fetches what you trust"
        )
        raise TextError(msg)
    pillow = require("PIL", needed_by="an image as a document", install="anyrank[images]")
    from PIL import Image, ImageOps

    try:
        image = Image.open(BytesIO(found)) if isinstance(found, bytes) else found
        return ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, ValueError, AttributeError, Image.DecompressionBombError) as error:
        msg = f"the document {source!r:.40} is not an image that Pillow {pillow.__version__} can read: {error}"
        raise TextError(msg) from error


def _data(uri: str) -> bytes:
    """Return what a data URI holds (RFC 2397)."""
    head, _, body = uri.partition(",")
    held = unquote_to_bytes(body)
    try:
        return b64decode(held) if head.endswith(";base64") else held
    except ValueError as error:
        msg = f"the data URI {uri!r:.40} does not hold what it says: {error}"
        raise TextError(msg) from error
