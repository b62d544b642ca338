"""Voyage: a key says by its beginning which host it is for."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from anyrank import errors, load


@pytest.fixture(scope="module")
def asked():
    """Run a proxy that lets nothing through; give the list of the hosts it was asked for."""
    hosts = []

    class Proxy(BaseHTTPRequestHandler):
        def do_CONNECT(self):
            hosts.append(self.path)
            self.send_error(403)

        def log_message(self, *_):
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Proxy) as server, pytest.MonkeyPatch.context() as patch:
        for name in ("https_proxy", "no_proxy", "NO_PROXY", "ANYRANK_VOYAGE_BASE_URL"):
            patch.delenv(name, raising=False)
        patch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield hosts
        server.shutdown()


@pytest.mark.parametrize(
    ("key", "base_url", "host"),
    [
        ("pa-0123456789", None, "api.voyageai.com:443"),
        ("al-0123456789", None, "ai.mongodb.com:443"),
        ("al-0123456789", "https://gateway.example.org", "gateway.example.org:443"),
    ],
)
def test_a_key_goes_to_its_own_host(asked, key, base_url, host):
    """A key of MongoDB Atlas is sent to Atlas, unless the user chose where requests go."""
    asked.clear()
    with (
        load("voyage", api_key=key, base_url=base_url, max_retries=0) as scorer,
        pytest.raises(errors.UnreachableError),
    ):
        scorer.score("query", ["text"])
    assert asked == [host]
