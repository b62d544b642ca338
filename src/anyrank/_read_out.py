"""What a language model answers: which tokens of its vocabulary, read how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence


def token_id(name: str, tokenizer: Any, token: str | int) -> int:
    """Return the id of an answer in the vocabulary of the model called ``name``. Raises `ModelError`."""
    if isinstance(token, int):
        if token < len(tokenizer):
            return token
    else:
        ids = tokenizer(token, add_special_tokens=False)["input_ids"]
        if len(ids) == 1 and ids[0] != tokenizer.unk_token_id:
            return int(ids[0])
    msg = f"{name!r} has no single token for the answer {token!r}, so its template= is another model's"
    raise ModelError(msg)


def read_only(model: Any, ids: Sequence[int]) -> bool:
    """Leave only these rows of the output layer, in float32: scores that differ little would tie in half precision.

    It also spares the rest of a vocabulary of some hundred thousand. Return False, and change nothing, where the layer
    is no plain one (such as a quantised one).
    """
    import torch

    layer = model.get_output_embeddings()
    if type(layer) is not torch.nn.Linear:
        return False
    rows = list(ids)
    only = torch.nn.Linear(layer.in_features, len(rows), bias=layer.bias is not None, device="meta")
    only.weight = torch.nn.Parameter(layer.weight[rows].detach().float())
    if layer.bias is not None:
        only.bias = torch.nn.Parameter(layer.bias[rows].detach().float())
    only.register_forward_pre_hook(lambda _module, inputs: (inputs[0].float(),))
    model.set_output_embeddings(only)
    return True
