"""MaxSim: how late interaction compares two texts of which every token has a vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

AT_ONCE: Final = 2**21
"""Dot products that `maxsim` holds at a time for padded documents: 8 MB, which stay near the processor."""


def maxsim(query: Any, documents: Any, mask: Any = None) -> Tensor:
    """Return one float32 score a document: each query token's largest dot product with a document token, summed.

    ``query`` holds one row a token. ``documents`` are such arrays (tensors or numpy), of any lengths; or one padded
    array of documents x tokens x dimensions, with a ``mask`` that is true where there is a token. A document without
    tokens scores as if it were the opposite of every token of the query. ColBERT: Khattab & Zaharia, SIGIR 2020,
    doi:10.1145/3397271.3401075.

    >>> import torch
    >>> query = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> maxsim(query, [torch.tensor([[0.6, 0.8]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])]).tolist()
    [1.399999976158142, 2.0]
    """
    from torch import inference_mode

    with inference_mode():
        asked = as_tensor(query).float()
        best = _best_padded(asked, documents, mask) if getattr(documents, "ndim", 0) == 3 else _best(asked, documents)
        return best.where(best != -float("inf"), -asked.norm(dim=1)).sum(dim=1)


def pooled(query: Any, documents: Sequence[Any]) -> Tensor:
    """Return the cosine between the mean of the query's vectors and that of each document's, float32.

    It is -1 for a document without tokens, as if it were the opposite of the query.
    """
    import torch

    with torch.inference_mode():
        asked = as_tensor(query).float()
        means = [
            as_tensor(document).to(asked).mean(dim=0) if len(document) else -asked.mean(dim=0) for document in documents
        ]
        return torch.cosine_similarity(torch.stack(means), asked.mean(dim=0)[None])


def _best(asked: Tensor, documents: Sequence[Any]) -> Tensor:
    """Return documents x query tokens, document by document: padding would cost more than the calls do."""
    best = asked.new_full((len(documents), len(asked)), -float("inf"))
    for place, document in enumerate(documents):
        if len(document):
            best[place] = (as_tensor(document).to(asked) @ asked.T).amax(dim=0)
    return best


def _best_padded(asked: Tensor, documents: Any, mask: Any) -> Tensor:
    """Return documents x query tokens, as many documents at a time as `AT_ONCE` allows."""
    best = asked.new_full((len(documents), len(asked)), -float("inf"))
    step = max(1, AT_ONCE // max(1, documents.shape[1] * len(asked)))
    for start in range(0, len(documents) if documents.shape[1] else 0, step):
        few = slice(start, start + step)
        products = as_tensor(documents[few]).to(asked) @ asked.T
        if mask is not None:
            products.masked_fill_(~as_tensor(mask[few]).bool().to(asked.device)[..., None], -float("inf"))
        best[few] = products.amax(dim=1)
    return best


def as_tensor(array: Any) -> Tensor:
    """Return an array as a tensor. One of numpy is copied where torch could not share it.

    That is one that is read-only, as from a file mapped into memory, runs backwards, or has the other byte order.
    """
    import torch

    flags = getattr(array, "flags", None)
    shared = flags is None or (flags.writeable and array.dtype.isnative and min(array.strides, default=0) >= 0)
    tensor: Tensor = torch.as_tensor(array if shared else array.astype(array.dtype.newbyteorder("="), order="C"))
    return tensor
