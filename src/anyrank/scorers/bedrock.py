"""Amazon Bedrock's Rerank: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_agent-runtime_Rerank.html.

Requests are signed with AWS credentials. A model is its id, or the whole ARN of one outside of the usual partition.
"""

from typing import Any

from anyrank._aws import SigV4Auth
from anyrank.hosted import COUNT, MODEL, QUERY, TEXT, Braces, Each, Endpoint, Option, Results


def _body(arn: Any) -> dict[str, Any]:
    model = {"modelArn": arn, "additionalModelRequestFields": Option("additional_model_request_fields", dict)}
    return {
        "queries": [{"type": "TEXT", "textQuery": {"text": QUERY}}],
        "sources": Each(
            {"type": "INLINE", "inlineDocumentSource": {"type": "TEXT", "textDocument": {"text": TEXT}}},
        ),
        "rerankingConfiguration": {
            "type": "BEDROCK_RERANKING_MODEL",
            "bedrockRerankingConfiguration": {"modelConfiguration": model, "numberOfResults": COUNT},
        },
    }


scorer = Endpoint(
    name="bedrock",
    url="https://bedrock-agent-runtime.{region}.amazonaws.com/rerank",
    settings=(Option("region", env=("AWS_REGION", "AWS_DEFAULT_REGION"), required=True),),
    base_env=("AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME", "AWS_ENDPOINT_URL"),
    auth=SigV4Auth("bedrock"),
    body=_body(Braces("arn:aws:bedrock:{region}::foundation-model/{model}")),
    results=Results(score="relevanceScore"),
    next_page="nextToken",
    model="amazon.rerank-v1:0",
    models={"amazon.rerank-v1:0": {}, "cohere.rerank-v3-5:0": {}, "arn:*": {"body": _body(MODEL)}},
    checked="2026-11-20",
    max_documents=1000,
    also_retried=(424,),
)
