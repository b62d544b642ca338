"""How many tokens a model can read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def most_tokens(model: Any) -> int | None:
    """Return how many tokens a model of transformers has positions for; None where nothing bounds them.

    A table of positions is a hard bound. RoBERTa and its kin count from behind the padding token, so that theirs is
    shorter than its rows. Models that compute positions go on beyond what their configuration names, which then is
    what they were trained on.
    """
    table = most_positions(model)
    if table is not None:
        return table
    declared = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return declared if isinstance(declared, int) and declared > 0 else None


def most_positions(model: Any) -> int | None:
    """Return how many tokens a model's table of positions is for; None where it has no table."""
    return min(_tables(model), default=None)


def _tables(model: Any) -> Iterator[int]:
    from torch.nn import Embedding

    for module in model.modules():
        table = getattr(module, "position_embeddings", None)
        if isinstance(table, Embedding):
            padding = getattr(module, "padding_idx", table.padding_idx)
            yield table.num_embeddings - (0 if padding is None else padding + 1)
