"""A transformer in int8: what is to be known of the values that flow through it, measured on texts that stand here.

The weights of a layer get one scale for each output, its input one for all of it. Inputs have a few features a hundred
times as large as the rest, which one scale would leave no room, so features are divided by a factor first, and the
weights multiplied by it: SmoothQuant, Xiao et al., ICML 2023, arXiv:2211.10438.

The texts are the same in every process, so that a text's score is, too.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

VERSION: Final = 1
"""Of the texts and of what is made of them: another one makes the models on disk anew."""

SMOOTHING: Final = 0.8
"""How much of a feature's size moves into the weights. Of 0.5 to 1, nearest to float32 on MiniLM's weights."""

MARGIN: Final = 1.2
"""How much larger than on these texts a value may be before it is cut: cutting costs far more than a coarser scale."""

LONGEST: Final = 512
"""Tokens of a text that are read."""

REPEATED: Final = 4
"""How often a text is read in a row, once, as a longer one."""

TEXTS: Final = (
    "a",
    "What is the capital of France?",
    "Paris is the capital and the largest city of France.",
    "how to reverse a linked list in place",
    "HTTP 429: too many requests; retry after 30 seconds, at most 5 times.",
    "for (int i = 0; i < n; ++i) { total += weights[i] * x[i]; }",
    "Vitamin D supplementation did not reduce the risk of fractures (RR 0.98, 95% CI 0.93-1.02; p = 0.41).",
    "The boundary layer separates where the shear stress at the wall vanishes.",
    "SELECT name, SUM(price) FROM orders WHERE day >= '2024-01-01' GROUP BY name ORDER BY 2 DESC;",
    "Dear customer, your parcel no. 00340-4342 could not be delivered today!!! See https://example.org/parcel?id=7",
    '"I don\'t know," she said, "whether we\'ll ever see the sea again - but I hope so."',
    "Die Katze sitzt auf der Fensterbank und wartet auf den Frühling.",
    "¿Cuánto cuesta un billete de ida y vuelta a Sevilla?",
    "Москва — столица России.",
    "北京是中国的首都。",
    "القاهرة هي عاصمة مصر.",
    "E = mc², 3.14159, 10^-6, β ≤ γ, €1,299.00",  # noqa: RUF001 - it is Greek
    "The committee adjourned without a vote. Its chair, who had joined by phone from Lagos, wants the audit first.",
    "stock price acme corp 2023 q4 earnings",
    "Ingredients: flour, water, salt, yeast. Knead for ten minutes, let rise for an hour, bake at 230 °C.",
)


class Reach(NamedTuple):
    """The smallest and the largest value of each feature of a layer's input."""

    low: Any
    high: Any


def quantized(core: Any, model: Any, tokenizer: Any, longest: int | None) -> Any:
    """Return a model of OpenVINO, which reads ``longest`` tokens at most, with its linear layers in int8.

    In full precision stay layers that read one vector a text, as heads do, and those that shrink it, as the second of
    a feed-forward block does: a few tokens have values there that no scale suits, which is half of all that is lost.
    Raises `ModelError` where no layer is left.
    """
    model = model.clone()
    layers = [layer for layer in model.get_ordered_ops() if _suits(layer)]
    if not layers:
        msg = "there is no layer in it that int8 would suit"
        raise ModelError(msg)
    names = [_source(layer) for layer in layers]
    reaches = _reaches(
        core, model, dict(zip(names, layers, strict=True)), _samples(tokenizer, min(longest or LONGEST, LONGEST))
    )
    for name in dict.fromkeys(names):
        _replace([layer for layer, its in zip(layers, names, strict=True) if its == name], reaches[name])
    return model


def _suits(node: Any) -> bool:
    """Whether a node multiplies a vector of each token by a constant matrix that does not shrink it."""
    if node.get_type_name() != "MatMul" or str(node.input_value(0).get_partial_shape().rank) != "3":
        return False
    weights = node.input_value(1)
    if weights.get_node().get_type_name() != "Constant" or not node.get_attributes()["transpose_b"]:
        return False
    shape = weights.get_shape()
    return len(shape) == 2 and shape[0] >= shape[1]


def _source(layer: Any) -> str:
    """Return a name for what a layer reads: query, key and value read the same."""
    value = layer.input_value(0)
    return f"{value.get_node().get_friendly_name()}.{value.get_index()}"


def _reaches(
    core: Any, model: Any, layers: Mapping[str, Any], samples: Iterable[Mapping[str, Any]]
) -> dict[str, Reach]:
    """Return by source how far its features reach on the texts, each read on its own: padding would count."""
    watched = core.compile_model(_watched(model, layers.values()), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    reaches: dict[str, Reach] = {}
    for features in samples:
        found = watched(list(features.values()))
        for name, place in zip(layers, range(-len(layers), 0), strict=True):
            values = found[len(found) + place][0]
            low, high = values.min(axis=0), values.max(axis=0)
            before = reaches.get(name, Reach(low, high))
            reaches[name] = Reach(low.clip(max=before.low), high.clip(min=before.high))
    return reaches


def _watched(model: Any, layers: Any) -> Any:
    """Return a copy of a model that also gives what layers read."""
    copy = model.clone()
    twins = {node.get_friendly_name(): node for node in copy.get_ordered_ops()}
    copy.add_outputs([twins[layer.get_friendly_name()].input_value(0) for layer in layers])
    return copy


def _samples(tokenizer: Any, longest: int) -> Iterator[Mapping[str, Any]]:
    """Give the texts as a model reads them: alone, repeated, in pairs, and all as one."""
    joined = " ".join(TEXTS)
    rows: list[Sequence[str]] = [*zip(TEXTS, strict=True), *zip(TEXTS, TEXTS[1:] + TEXTS[:1], strict=True), (joined,)]
    rows += [(" ".join([text] * REPEATED),) for text in TEXTS]
    for row in rows:
        yield tokenizer(*row, truncation=True, max_length=longest, return_tensors="np")


def _replace(layers: Sequence[Any], reach: Reach) -> None:
    """Put the int8 form of layers that read the same in their place."""
    import numpy as np

    graph = import_module("openvino.opset13")
    matrices = [layer.input_value(1).get_node().data.astype(np.float32) for layer in layers]
    largest = np.abs(np.concatenate(matrices)).max(axis=0).clip(1e-3)
    factor = np.maximum(-reach.low, reach.high).clip(1e-3) ** SMOOTHING / largest ** (1 - SMOOTHING)
    low, high = min(0.0, (reach.low / factor).min()) * MARGIN, max(0.0, (reach.high / factor).max()) * MARGIN
    smooth = graph.multiply(layers[0].input_value(0), (1 / factor).astype(np.float32))
    bounds = _with_exact_zero(low, high)
    read = graph.fake_quantize(smooth, *bounds, *bounds, 256)
    for layer, matrix in zip(layers, matrices, strict=True):
        scaled = matrix * factor
        scale = np.abs(scaled).max(axis=1, keepdims=True).clip(1e-12) / 127
        whole = graph.convert(graph.constant(np.rint(scaled / scale).astype(np.int8)), "f32")
        layer.input(0).replace_source_output(read.output(0))
        layer.input(1).replace_source_output(graph.multiply(whole, scale.astype(np.float32)).output(0))


def _with_exact_zero(low: float, high: float) -> tuple[Any, Any]:
    """Return the bounds of 256 steps of which one is zero."""
    import numpy as np

    step = (high - low) / 255 or 1.0
    first = round(low / step) * step
    return np.float32(first), np.float32(first + 255 * step)
