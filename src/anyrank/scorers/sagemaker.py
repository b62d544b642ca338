"""A reranker behind an Amazon SageMaker endpoint: https://docs.cohere.com/docs/amazon-sagemaker-setup-guide.

The container is Cohere's, or text-embeddings-inference (``container="tei"``). Requests are signed with AWS credentials.
"""

from anyrank._aws import SigV4Auth
from anyrank.hosted import COUNT, QUERY, TEXT, Each, Endpoint, Option, Results

TEI = {"body": {"query": QUERY, "texts": Each(TEXT), "truncate": True}, "max_documents": 32}

scorer = Endpoint(
    name="sagemaker",
    first="endpoint",
    url="https://runtime.sagemaker.{region}.amazonaws.com/endpoints/{endpoint}/invocations",
    settings=(
        Option("endpoint", required=True),
        Option("region", env=("AWS_REGION", "AWS_DEFAULT_REGION"), required=True),
        Option("container", choices=("cohere", "tei"), default="cohere", changes={"tei": TEI}),
    ),
    base_env=("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", "AWS_ENDPOINT_URL"),
    auth=SigV4Auth("sagemaker"),
    body={"api_version": 2, "query": QUERY, "documents": Each(TEXT), "top_n": COUNT},
    results=Results(("results", ""), score=("relevance_score", "score")),
    checked="2026-11-20",
    max_documents=1000,
    max_bytes=3_000_000,  # a serverless endpoint takes 4 MB a request, others 6 MB
)
