"""A rerank service on loopback that refuses what the real one would refuse, from the contract in its JSON file.

``tests/services/NAME.json`` is written from the service's own documents, not from our code: the JSON Schema of a
request, how it must show its key, what a refusal looks like, what a reply looks like, and one recorded exchange. The
fake scores by shared words, so that a right order is known. ``fake_faults.py`` has what can go wrong on top.
"""

from __future__ import annotations

import json
import math
import re
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

from jsonschema import Draft202012Validator

Fault: TypeAlias = Callable[["_Handler", Any], None]
"""Sends something else instead of the good reply it is given."""

SERVICES = Path(__file__).parent / "services"
KEY = "sk-test-0123456789"


@cache
def service_file(name: str) -> dict[str, Any]:
    """Return what the file of a service says."""
    return json.loads((SERVICES / f"{name}.json").read_text(encoding="utf-8"))


def dig(value: Any, path: str) -> Any:
    """Return what lies at a dotted path, None where there is nothing."""
    for step in path.split(".") if path else ():
        if isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        elif isinstance(value, dict):
            value = value.get(step)
        else:
            return None
    return value


def filled(template: Any, values: dict[str, Any]) -> Any:
    """Return a template with its ``$names`` replaced."""
    if isinstance(template, str):
        if template in values:
            return values[template]
        return re.sub(r"\$[a-z_]+", lambda match: str(values.get(match[0], match[0])), template)
    if isinstance(template, dict):
        return {name: filled(part, values) for name, part in template.items()}
    return [filled(part, values) for part in template] if isinstance(template, list) else template


class Contract:
    """What a service accepts and answers, as its file says."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.file = service_file(name)
        self.says = self.file["contract"]
        self.schema = Draft202012Validator(self.says.get("schema", {}))

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        """Return status and JSON for a request."""
        return self.refusal(method, path, headers, body) or (200, self.reply(json.loads(body)))

    def refusal(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any] | None:
        """Return what the service says to a request that is wrong, None to one that is right."""
        url = urlsplit(path)
        if url.path != self.says["path"]:
            return self.refuse("path", "not found")
        if method != "POST":
            return self.refuse("method", "method not allowed")
        for header, pattern in self.says.get("headers", {}).items():
            if not re.fullmatch(filled(pattern, {"$key": re.escape(KEY)}), headers.get(header, "")):
                return self.refuse("header" if header == "content-type" else "auth", f"bad {header}")
        if "signature" in self.says and not self.signed(method, path, headers, body):
            return self.refuse("auth", "bad signature")
        for name, pattern in self.says.get("query_string", {}).items():
            if not re.fullmatch(pattern, parse_qs(url.query).get(name, [""])[0]):
                return self.refuse("query_string", f"{name} is missing or wrong")
        return self.unreadable(body)

    def signed(self, method: str, path: str, headers: dict[str, str], body: bytes) -> bool:
        """Whether the request has the signature that botocore computes for it."""
        from fake_aws import rightly_signed

        return rightly_signed(method, path, headers, body, secret=KEY, **self.says["signature"])

    def unreadable(self, body: bytes) -> tuple[int, Any] | None:
        try:
            payload = json.loads(body)
        except ValueError:
            return self.refuse("json", "not JSON")
        errors = sorted(self.schema.iter_errors(payload), key=lambda error: error.validator == "additionalProperties")
        if errors:
            keyword = str(errors[0].validator)
            return self.refuse(keyword if keyword in self.says["refusals"] else "schema", errors[0].message)
        return self.too_much(payload)

    def too_much(self, payload: Any) -> tuple[int, Any] | None:
        """Return the refusal of a text, or of a sum of texts, that is too long."""
        texts = self.texts(payload)
        long = self.says.get("too_long")
        accepted = long and any(payload.get(name) not in (None, "NONE", False) for name in long.get("unless", ()))
        if long and not accepted and any(len(text.split()) > long["words"] for text in texts):
            return self.refuse("too_long", "too long")
        total = len(self.query(payload).split()) * len(texts) + sum(len(text.split()) for text in texts)
        if total > self.says.get("max_total_words", math.inf):
            return self.refuse("too_long", "too many tokens in all")
        if (self.top_n(payload) or 0) > len(texts) and "top_n_over" in self.says["refusals"]:
            return self.refuse("top_n_over", "more results asked for than documents")
        return None

    def refuse(self, why: str, problem: str) -> tuple[int, Any]:
        """Return a refusal in the service's own form."""
        common = {"path": [404, {"detail": "Not Found"}], "method": [405, {"detail": "Method Not Allowed"}]}
        refusals = {**common, **self.says["refusals"]}
        status, body = refusals.get(why) or refusals["schema"]
        return status, filled(body, {"$problem": problem})

    def query(self, payload: Any) -> str:
        return dig(payload, self.says.get("query", "query"))

    def texts(self, payload: Any) -> list[str]:
        """Return the documents' texts (an image's URL counts as one)."""
        paths = self.says.get("text", "")
        found = dig(payload, self.says.get("documents", "documents"))
        return [
            next(
                str(text)
                for path in ([paths] if isinstance(paths, str) else paths)
                if (text := dig(item, path)) is not None
            )
            for item in found
        ]

    def top_n(self, payload: Any) -> int | None:
        path = self.says.get("top_n")
        return dig(payload, path) if path else None

    def reply(self, payload: Any) -> Any:
        """Return the reply: the best first, unless the service keeps the order of the request."""
        query, texts = self.query(payload), self.texts(payload)
        scores = [self.score(query, text) for text in texts]
        order = list(range(len(texts)))
        if self.says.get("sorted", True):
            order.sort(key=lambda place: -scores[place])
        asked = self.top_n(payload) or self.says.get("default_top_n") or len(texts)
        results = [
            filled(
                self.says["result"],
                {"$index": place, "$index_text": str(place), "$score": scores[place], "$text": texts[place]},
            )
            for place in order[:asked]
        ]
        model = payload.get("model", "served-model") if isinstance(payload, dict) else "served-model"
        return filled(self.says["reply"], {"$results": results, "$model": model, "$count": len(texts)})

    def score(self, query: str, text: str) -> float:
        """Score by the share of the query's words in the text, on the service's scale."""
        wanted, found = set(re.findall(r"\w+", query.lower())), set(re.findall(r"\w+", text.lower()))
        share = round(0.02 + 0.96 * len(wanted & found) / (len(wanted) or 1), 6)
        scale: dict[str, Callable[[float], float]] = {
            "probability": lambda p: p,
            "two_decimals": lambda p: round(p, 2),
            "cosine": lambda p: round(2 * p - 1, 6),
            "logit": lambda p: round(math.log(p / (1 - p)), 6),
        }
        return scale[self.says.get("score", "probability")](share)


class FakeService:
    """A running service: ``url`` is its base; what it got is in ``requests``.

    ``faults`` spoil the good replies to come, one each, ``always`` all of them; ``replay`` is a recorded good reply.
    """

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.requests: list[dict[str, Any]] = []
        self.faults: list[Fault] = []
        self.always: Fault | None = None
        self.replay: Any = None
        self.delay = 0.0
        self.busy = self.most_busy = 0
        self.connections = 0
        self.lock = threading.Lock()
        self.url = ""

    @property
    def bodies(self) -> list[Any]:
        """The JSON of the requests."""
        return [json.loads(request["body"]) for request in self.requests]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    service: FakeService

    def setup(self) -> None:
        super().setup()
        with self.service.lock:
            self.service.connections += 1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        service = self.service
        headers = {name.lower(): value for name, value in self.headers.items()}
        with service.lock:
            service.requests.append(
                {"method": self.command, "path": self.path, "headers": headers, "body": body, "at": time.monotonic()}
            )
            service.busy += 1
            service.most_busy = max(service.most_busy, service.busy)
            fault = service.faults.pop(0) if service.faults else service.always
        try:
            time.sleep(service.delay)
            status, payload = service.contract.answer(self.command, self.path, headers, body)
        finally:  # before the reply: whoever has it may ask again at once
            with service.lock:
                service.busy -= 1
        if status == 200 and service.replay is not None:
            payload = service.replay
        if status == 200 and fault is not None:
            fault(self, payload)
        else:
            self.send(status, payload, **service.contract.says.get("refusal_headers", {}).get(str(status), {}))

    do_GET = do_POST  # noqa: N815 - named by the library

    def send(self, status: int, payload: Any, **headers: str) -> None:
        """Send JSON."""
        self.send_bytes(status, json.dumps(payload).encode(), content_type="application/json", **headers)

    def send_bytes(self, status: int, body: bytes, **headers: str) -> None:
        """Send anything, with a length that may be a lie."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients that go away are part of the tests."""


@contextmanager
def running(contract: Contract | str):
    """Run a service for the block's time."""
    service = FakeService(Contract(contract) if isinstance(contract, str) else contract)
    handler = type("Handler", (_Handler,), {"service": service})
    server = _Server(("127.0.0.1", 0), handler)
    service.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
