"""Cohere's models in Azure AI Foundry: https://docs.cohere.com/docs/cohere-on-microsoft-azure.

The model is the name of the deployment. An older serverless endpoint takes its whole URL as ``base_url``.
"""

from anyrank.hosted import COUNT, MODEL, QUERY, TEXT, Each, Endpoint, KeyAuth, Option

scorer = Endpoint(
    name="azure_cohere",
    url="/providers/cohere/v2/rerank",
    base_env=("AZURE_AI_API_BASE",),
    auth=KeyAuth(env=("AZURE_AI_API_KEY",)),
    body={
        "model": MODEL,
        "query": QUERY,
        "documents": Each(TEXT),
        "top_n": COUNT,
        "max_tokens_per_doc": Option("max_tokens_per_doc", int),
        "priority": Option("priority", int),
    },
    model="cohere-rerank-v4.0-fast",
    models={"cohere-rerank-v4.0-fast": {}, "cohere-rerank-v4.0-pro": {}},
    checked="2026-11-20",
    usage={"search_units": "meta.billed_units.search_units"},
    max_documents=1000,
)
