"""What can go wrong with a service, by name: each fault sends something else instead of a good reply."""

import gzip
import json
import math
import socket
import struct
import time
from email.utils import formatdate


def refusal(status, body=None, **headers):
    """Return the fault of a refusal."""
    return lambda handler, _payload: handler.send(status, body or {"message": f"status {status}"}, **headers)


def spoilt(spoil):
    """Return the fault of a reply whose list of results is spoilt; ``spoil`` gets it and an item's keys by marker."""

    def send(handler, payload):
        template = handler.service.contract.says["result"]
        keys = {str(marker): key for key, marker in template.items()} if isinstance(template, dict) else {}
        index = keys.get("$index") or keys.get("$index_text")
        spoil(_results(payload), index, keys.get("$score"))
        handler.send(200, payload)

    return send


def _results(payload):
    """Return the list of results, wherever it lies."""
    if isinstance(payload, list):
        return payload
    lists = [part for part in payload.values() if isinstance(part, list)]
    return lists[0] if lists else _results(next(part for part in payload.values() if isinstance(part, dict)))


def _index(value):
    """Spoil the first index; a service without one gives a result too many instead."""

    def spoil(items, index, _score):
        if index is None:
            items.append(items[0])
        else:
            items[0][index] = value(items)

    return spoil


def _score(value):
    def spoil(items, _index, score):
        if score is None:
            items[0] = value
        else:
            items[0][score] = value

    return spoil


def cut(handler, payload):
    """Break the connection in the middle of the reply."""
    body = json.dumps(payload).encode()
    handler.send_bytes(200, body[: len(body) // 2], content_length=str(len(body)), content_type="application/json")
    handler.close_connection = True


def gone(handler, _payload):
    """Break the connection before any reply."""
    handler.close_connection = True


def reset(handler, payload):
    """Reset the connection in the middle of the reply."""
    body = json.dumps(payload).encode()
    handler.send_bytes(200, body[:5], content_length=str(len(body)), content_type="application/json")
    handler.wfile.flush()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def slow(handler, payload):
    """Wait a second before the reply."""
    time.sleep(1.0)
    handler.send(200, payload)


def drip(handler, payload):
    """Send the reply a byte at a time, a tenth of a second each."""
    body = json.dumps(payload).encode()
    handler.send_bytes(200, b"", content_length=str(len(body)), content_type="application/json")
    for place in range(len(body)):
        handler.wfile.write(body[place : place + 1])
        time.sleep(0.1)


def dripping_head(handler, _payload):
    """Send headers without end, one a tenth of a second."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for place in range(200):
        handler.wfile.write(b"x-%d: 1\r\n" % place)
        time.sleep(0.1)


def zipped(handler, payload):
    """Send a good reply, packed."""
    handler.send_bytes(200, gzip.compress(json.dumps(payload).encode()), content_encoding="gzip")


def echoing(handler, payload):
    """Send a good reply with ten megabytes beside the results."""
    handler.send(200, {**payload, "echo": "x" * 10_000_000} if isinstance(payload, dict) else payload)


def raw(body, content_type="application/json", status=200):
    """Return the fault of a body that is not what it should be."""
    return lambda handler, _payload: handler.send_bytes(status, body, content_type=content_type)


HTML = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"

PASSING = {
    "429, retry-after-ms": refusal(429, retry_after_ms="1"),
    "429, retry-after in seconds": refusal(429, retry_after="0"),
    "429, retry-after as a date": lambda handler, _payload: handler.send(
        429, {"message": "slow down"}, retry_after=formatdate(time.time() - 5, usegmt=True)
    ),
    "429, no header": refusal(429),
    "429, concurrency": refusal(
        429, {"detail": "too many concurrent requests", "code": "RATE_CONCURRENCY_LIMIT_EXCEEDED"}
    ),
    "408": refusal(408),
    "409": refusal(409),
    "425": refusal(425),
    "500": refusal(500),
    "502, HTML of a proxy": raw(HTML, "text/html", 502),
    "503, HTML of a proxy": raw(HTML, "text/html", 503),
    "504": refusal(504),
    "529": refusal(529),
    "cut in the middle": cut,
    "gone before the reply": gone,
    "reset in the middle": reset,
}
"""Gone at the next attempt: a call survives one of these."""

HARMLESS = {"gzip": zipped, "ten megabytes": echoing}
"""Unusual but right."""

LASTING = {
    "400": (refusal(400, {"message": "bad"}), "ProviderError"),
    "402": (refusal(402, {"message": "no balance"}), "QuotaError"),
    "403, balance": (refusal(403, {"code": "AUTHZ_INSUFFICIENT_BALANCE", "detail": "balance"}), "QuotaError"),
    "403": (refusal(403, {"detail": "forbidden"}), "AuthenticationError"),
    "404": (refusal(404, {"message": "model not found"}), "ProviderError"),
    "413": (refusal(413), "ProviderError"),
    "422": (refusal(422, {"detail": [{"loc": ["body"], "msg": "field required"}]}), "ProviderError"),
    "429, quota": (refusal(429, {"error": {"code": "insufficient_quota", "message": "spent"}}), "QuotaError"),
    "429, credit": (refusal(429, {"error": {"code": "credit_balance_exhausted"}}), "QuotaError"),
    "498": (refusal(498, {"message": "blocked token"}), "AuthenticationError"),
    "500, too large": (
        refusal(
            500, {"error": {"message": "input (900 tokens) is too large to process. increase the physical batch size"}}
        ),
        "ProviderError",
    ),
    "501": (refusal(501), "ProviderError"),
    "307 elsewhere": (refusal(307, location="http://elsewhere.invalid/v1/rerank"), "ProviderError"),
    "200 with an error": (
        lambda handler, _payload: handler.send(
            200, {"code": "Arrearage", "message": "access denied", "request_id": "r-1"}
        ),
        "ReplyError",
    ),
    "200, HTML": (raw(HTML, "text/html"), "ReplyError"),
    "200, truncated JSON": (raw(b'{"results": [{"index": 0, "relev'), "ReplyError"),
    "200, empty": (raw(b""), "ReplyError"),
    "an index twice": (spoilt(_index(lambda items: items[1].get("index", items[1].get("id")))), "ReplyError"),
    "a negative index": (spoilt(_index(lambda _items: -1)), "ReplyError"),
    "an index out of range": (spoilt(_index(len)), "ReplyError"),
    "a boolean index": (spoilt(_index(lambda _items: True)), "ReplyError"),
    "an index as a float": (spoilt(_index(lambda _items: 0.5)), "ReplyError"),
    "a result missing": (spoilt(lambda items, _index, _score: items.pop()), "ReplyError"),
    "no results": (spoilt(lambda items, _index, _score: items.clear()), "ReplyError"),
    "NaN": (spoilt(_score(math.nan)), "ReplyError"),
    "infinity": (spoilt(_score(math.inf)), "ReplyError"),
    "a boolean score": (spoilt(_score(True)), "ReplyError"),  # noqa: FBT003 - the fault itself
    "a score as text": (spoilt(_score("0.9")), "ReplyError"),
    "no score": (spoilt(_score(None)), "ReplyError"),
}
"""Not worth a second attempt, with the error that says so."""

FAULTS = {
    **PASSING,
    **{name: spoil for name, (spoil, _) in LASTING.items()},
    "slow": slow,
    "drip": drip,
    "dripping head": dripping_head,
}
