"""URLs of services: what may be one, how a base and a path make one, which stay on this machine."""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from .errors import SpecError

ENDPOINTS: Final = ("rerank", "reranks", "reranking", "rerankings")
"""What a rerank endpoint's path ends in: a base that ends so is the whole URL."""


def joined(base_url: str, path: str) -> str:
    """Return an endpoint's URL below a base, which may have part of the path, all of it, or a query of its own.

    >>> joined("http://localhost:8000", "/v1/rerank"), joined("http://localhost:8000/v1/", "/v1/rerank")
    ('http://localhost:8000/v1/rerank', 'http://localhost:8000/v1/rerank')
    >>> joined("https://example.org/gateway/rerank?version=2", "https://api.example.com/v1/rerank")
    'https://example.org/gateway/rerank?version=2'
    """
    base, _, base_query = base_url.partition("?")
    rest = path.partition("://")[2]
    path, _, own_query = (f"/{rest.partition('/')[2]}" if rest else path).partition("?")
    have, want = base.rstrip("/").split("/"), path.strip("/").split("/")  # have[2] is the host
    query = "&".join(part for part in (own_query, base_query) if part)
    if len(have) > 3 and have[-1] in (want[-1], *ENDPOINTS):
        want = []
    shared = max(size for size in range(len(want) + 1) if not size or have[3:][-size:] == want[:size])
    return "/".join([*have, *want[shared:]]) + (f"?{query}" if query else "")


def checked_base(scorer: str, base_url: str, source: str = "base_url") -> str:
    """Return a base URL that can be one. Raises `SpecError`; it never quotes what could be a password."""
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        msg = f"scorer {scorer!r}: {source} must begin with http:// or https:// and a host"
        raise SpecError(msg)
    if parts.username is not None or parts.password is not None:
        msg = f"scorer {scorer!r}: {source} has user info in it, and URLs are shown; give the key as api_key="
        raise SpecError(msg)
    return base_url


def loopback(url: str) -> bool:
    """Whether a URL stays on this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
