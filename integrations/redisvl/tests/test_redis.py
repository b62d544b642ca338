"""From a real Redis to a reranked list; needs a server that searches (Redis 8, Redis Stack) on the PATH."""

import shutil
import socket
import subprocess

import pytest

from anyrank_redisvl import AnyRankReranker, fuse_results

DOCS = [
    {"name": "merge", "content": "merge yields the items of several sorted inputs", "embedding": [0.9, 0.1]},
    {"name": "sort", "content": "sorted returns a new sorted list", "embedding": [0.8, 0.3]},
    {"name": "deque", "content": "a deque keeps the last items", "embedding": [0.1, 0.9]},
]
SCHEMA = {
    "index": {"name": "functions", "prefix": "function"},
    "fields": [
        {"name": "name", "type": "tag"},
        {"name": "content", "type": "text"},
        {"name": "embedding", "type": "vector", "attrs": {"dims": 2, "algorithm": "flat", "distance_metric": "cosine"}},
    ],
}
QUERY = "merge sorted inputs"


@pytest.fixture
def client(tmp_path):
    """Start a server for one test and give its client; skips where there is none, or none that searches."""
    from redis import Redis, ResponseError
    from redis.backoff import ConstantBackoff
    from redis.retry import Retry

    program = shutil.which("redis-stack-server") or shutil.which("redis-server")
    if program is None:
        pytest.skip("there is no redis-server on the PATH")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", tmp_path]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        with Redis(port=port, retry=Retry(ConstantBackoff(0.1), 100)) as connected:
            try:
                connected.execute_command("FT._LIST")
            except ResponseError:
                pytest.skip(f"Redis {connected.info()['redis_version']} here cannot search: Redis 8 and Redis Stack do")
            yield connected
    finally:
        server.terminate()
        server.wait(20)


def test_two_queries_fused_and_reranked(client):
    """What `SearchIndex.query` returns goes in as it is: text and vector results, by place, by score, then reranked."""
    import numpy as np
    from redisvl.index import SearchIndex
    from redisvl.query import TextQuery, VectorQuery

    index = SearchIndex.from_dict(SCHEMA, redis_client=client)
    index.create()
    index.load(
        [{**doc, "embedding": np.array(doc["embedding"], dtype=np.float32).tobytes()} for doc in DOCS], id_field="name"
    )
    fields = ["name", "content"]
    results = {
        "text": index.query(TextQuery(QUERY, "content", return_fields=fields, stopwords=None)),
        "vector": index.query(VectorQuery([0.9, 0.1], "embedding", return_fields=fields)),
    }
    said = {"scores": {"text": "score"}, "distances": {"vector": "vector_distance"}}
    for method, settings in (("rrf", {}), ("relative_score", said)):
        documents, _ = fuse_results(results, method, **settings)
        assert documents[0]["name"] == "merge"
        assert len(documents) == len(DOCS)
    documents, scores = AnyRankReranker("lexical", rank_by=["name", "content"], limit=2).rank(QUERY, documents)
    assert [document["name"] for document in documents] == ["merge", "sort"]
    assert scores == sorted(scores, reverse=True)
