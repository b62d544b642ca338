"""A rerank service to measure against: Cohere's API on loopback, asyncio, in a process of its own.

Every document begins with its score, so that both sides know the right ranking, and none has the score of another.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import socket
import struct
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, lru_cache
from http import HTTPStatus
from typing import Any, TypeAlias

KEY = "a-key"
QUERY = "which of these passages is about it?"

Fault: TypeAlias = Callable[[asyncio.StreamWriter, bytes], Awaitable[None]]
"""Sends something else, or in another way, instead of the good reply it is given."""


def documents(count: int, seed: int = 0) -> list[str]:
    """Make documents of about 30 words."""
    scores = random.Random(seed).sample(range(1_000_000), count)
    return [f"0.{score:06d} {'a passage of some thirty words ' * 5}" for score in scores]


def score_of(document: str) -> float:
    """Return the score that a document says it has."""
    return float(document.partition(" ")[0])


def ranked(texts: list[str]) -> list[int]:
    """Return the places of documents, best first."""
    return sorted(range(len(texts)), key=lambda place: -score_of(texts[place]))


@contextmanager
def service(delay: float = 0.0, faults: float = 0.0) -> Iterator[str]:
    """Run the service for the block's time; gives its base URL.

    ``delay`` are the seconds that a reply takes at least, ``faults`` the share of the requests that something happens
    to. GET ``/counts`` says how many of either there were.
    """
    command = [sys.executable, __file__, f"--delay={delay}", f"--faults={faults}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        words = process.stdout
        yield "" if words is None else words.readline().strip()  # then Popen closes its input, and it ends


@lru_cache(maxsize=64)
def good(version: str, body: bytes) -> bytes:
    """Return the reply to a request, as Cohere orders and cuts it; the first version may echo the documents."""
    asked = json.loads(body)
    texts = asked["documents"]
    results: list[dict[str, Any]] = [
        {"index": place, "relevance_score": score_of(texts[place])} for place in ranked(texts)[: asked.get("top_n")]
    ]
    if version == "v1" and asked.get("return_documents"):
        results = [{**result, "document": {"text": texts[result["index"]]}} for result in results]
    meta = {"api_version": {"version": version[1:]}, "billed_units": {"search_units": 1}}
    return packed(200, json.dumps({"id": "a-request", "results": results, "meta": meta}))


def packed(status: int, body: str, **headers: str) -> bytes:
    """Return a whole reply."""
    found = {"content-type": "application/json", "content-length": str(len(body)), **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in found.items())
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{lines}\r\n{body}".encode()


def refusal(status: int, body: str = '{"message": "not now"}', **headers: str) -> Fault:
    """Return the fault of a refusal."""

    async def refuse(writer: asyncio.StreamWriter, _reply: bytes) -> None:
        writer.write(packed(status, body, **headers))

    return refuse


def reset(share: float) -> Fault:
    """Return the fault of a connection that is reset after a share of the reply."""

    async def abort(writer: asyncio.StreamWriter, reply: bytes) -> None:
        writer.write(reply[: int(len(reply) * share)])
        await asyncio.sleep(0.005)
        at_once = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        writer.transport.abort()

    return abort


async def dripped(writer: asyncio.StreamWriter, reply: bytes) -> None:
    """Send a good reply slowly, in pieces."""
    piece = len(reply) // 5 + 1
    for start in range(0, len(reply), piece):
        writer.write(reply[start : start + piece])
        await asyncio.sleep(0.02)


FAULTS: dict[str, Fault] = {
    "429": refusal(429, retry_after_ms="5"),
    "500": refusal(500),
    "503": refusal(503, "<html><body>503 Service Unavailable</body></html>", content_type="text/html"),
    "reset before the reply": reset(0.0),
    "reset in the reply": reset(0.5),
    "slow": dripped,
}


class Service:
    """What one process answers."""

    def __init__(self, delay: float, faults: float) -> None:
        self.delay = delay
        self.faults = faults
        self.draw = random.Random(0)
        self.counts = {"requests": 0, **dict.fromkeys(FAULTS, 0)}

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests, until one of us ends it."""
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):  # cancelled when the service ends
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                body = await reader.readexactly(length(head))
                await self.answer(head.split(b" ", 2)[1].decode(), body, writer)
                await writer.drain()
        writer.close()

    async def answer(self, path: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        """Answer one request, well or badly."""
        if path == "/counts":
            writer.write(packed(200, json.dumps(self.counts)))
            return
        self.counts["requests"] += 1
        if self.delay:
            await asyncio.sleep(self.delay)
        reply = good(path.split("/")[-2], body)
        if self.draw.random() < self.faults:
            name = self.draw.choice(list(FAULTS))
            self.counts[name] += 1
            await FAULTS[name](writer, reply)
        else:
            writer.write(reply)


@cache
def length(head: bytes) -> int:
    """Return how long a request's body is, by its headers."""
    return int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)


async def serve(delay: float, faults: float) -> None:
    """Answer until standard input ends; the URL is the first line of standard output."""
    server = await asyncio.start_server(Service(delay, faults).talk, "127.0.0.1", 0, backlog=1024)
    host, port = server.sockets[0].getsockname()
    print(f"http://{host}:{port}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds a reply takes at least (0)")
    parser.add_argument("--faults", type=float, default=0.0, help="share of the requests that go wrong (0)")
    asyncio.run(serve(**vars(parser.parse_args())))
