"""Cohere's models on Amazon Bedrock, called directly: https://docs.aws.amazon.com/bedrock/latest/userguide/rerank.html.

Requests are signed with AWS credentials.
"""

from functools import partial
from urllib.parse import quote

from anyrank._aws import SigV4Auth
from anyrank.hosted import COUNT, QUERY, TEXT, Each, Endpoint, Option

scorer = Endpoint(
    name="bedrock_cohere",
    url="https://bedrock-runtime.{region}.amazonaws.com/model/{model}/invoke",
    settings=(Option("region", env=("AWS_REGION", "AWS_DEFAULT_REGION"), required=True),),
    base_env=("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ENDPOINT_URL"),
    auth=SigV4Auth("bedrock"),
    body={
        "api_version": 2,
        "query": QUERY,
        "documents": Each(TEXT),
        "top_n": COUNT,
        "max_tokens_per_doc": Option("max_tokens_per_doc", int),
    },
    model="cohere.rerank-v3-5:0",
    model_in_url=partial(quote, safe=""),  # an ARN has slashes, and is one step of the path
    models={"cohere.rerank-v3-5:0": {}},
    checked="2026-11-20",
    max_documents=1000,
)
