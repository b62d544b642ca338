"""monoT5: a T5 that reads query and text together and says whether the text is relevant, in one word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from anyrank._library import DTYPES, LibraryModel, fitted
from anyrank._read_out import read_only
from anyrank._registry import require
from anyrank.errors import ArgumentError, ModelError
from anyrank.ranking import Report
from anyrank.scorer import Candidates, Scores

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["MonoT5"]

PROMPT: Final = ("Query:", "Document:", "Relevant:")
"""What stands before the query, before the document, and last."""

TRAINED_LENGTH: Final = 512
"""Tokens that monoT5 was trained on and ``max_length`` is by default; the model itself knows no bound."""

ENGLISH: Final = ("▁false", "▁true")
MULTILINGUAL: Final = ("▁no", "▁yes")
"""What mT5 was trained to say: it has no single token for false."""

MANY: Final = 200_000
"""Tokens that only mT5's vocabulary goes beyond: 250,112, where T5's has 32,128."""

LEAST: Final = 32
"""The smallest ``max_length``: the words of the prompt take seven, or a few more in other vocabularies."""


@dataclass(eq=False)
class MonoT5(LibraryModel["_Reader"]):
    """A monoT5 (or mT5) reranker: the probability that the first word of the answer is "true".

    The model reads ``Query: … Document: … Relevant:`` and takes one step; of all words only the two that it was trained
    to answer with count. Their softmax is shown, score kind ``probability``; the log-odds decide the order. Which two
    they are the checkpoint tells: ``▁no`` and ``▁yes`` for mT5, else ``▁false`` and ``▁true`` where its vocabulary has
    both, as T5's English one does. A model trained on others needs ``tokens``, the one for no first:
    ``("▁não", "▁sim")`` for ptt5, ``("▁", "▁true")`` for unicamp-dl's mT5 of 3 and of 13 billion weights.

    A text too long for ``max_length`` tokens (None is 512) loses its end, never the prompt's last word;
    ``report.truncated`` tells how much. A query may take three quarters of the room. The model runs on torch. A
    checkpoint whose vocabulary lacks the words, or that is no whole encoder-decoder, raises `ModelError` at the first
    call or at ``warm_up``. The other options are those of `LibraryModel`. Nogueira et al., Findings of EMNLP 2020,
    doi:10.18653/v1/2020.findings-emnlp.63.
    """

    name: ClassVar[str] = "mono_t5"
    score_kind: ClassVar[str] = "probability"

    tokens: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        """Check what can be checked without the model; raises `ArgumentError`."""
        super().__post_init__()
        self._one_of("backend", ("auto", "torch"))
        self._one_of("dtype", [dtype for dtype in DTYPES if dtype != "int8"])
        if self.max_length is not None and self.max_length < LEAST:
            msg = f"mono_t5 needs max_length={LEAST} or more, for the prompt's own words; got {self.max_length}"
            raise ArgumentError(msg)
        if self.tokens is not None:
            self.tokens = _pair(self.tokens)

    def _load(self) -> _Reader:
        transformers = require("transformers", needed_by=f"scorer {self.name!r}", install="anyrank[local]")
        device = self._device()
        source: dict[str, Any] = {"revision": self.revision, "trust_remote_code": self.trust_remote_code}
        with self._weights() as weights:
            tokenizer = transformers.AutoTokenizer.from_pretrained(self._place, **source)
            model, loading = transformers.AutoModelForSeq2SeqLM.from_pretrained(
                self._place, dtype=self._torch_dtype(device), output_loading_info=True, **source, **weights
            )
        if loading["missing_keys"]:
            missing = ", ".join(sorted(loading["missing_keys"])[:4])
            msg = (
                f"{self.model!r} is no whole encoder-decoder: the checkpoint lacks {missing}, so scores would be random"
            )
            raise ModelError(msg)
        if not read_only(model, self._answers(tokenizer, model.config)):
            msg = f"{self.model!r} has an output layer that is not plain, and is not read: use unquantised weights"
            raise ModelError(msg)
        model.to(device).eval()
        return _Reader(tokenizer, model, self.max_length or TRAINED_LENGTH, self._together(model))

    def _answers(self, tokenizer: Any, config: Any) -> list[int]:
        """Return the ids of the words for no and for yes."""
        vocabulary = tokenizer.get_vocab()
        multilingual = config.model_type == "mt5" or config.vocab_size > MANY
        tokens = self.tokens or (MULTILINGUAL if multilingual else ENGLISH)
        if not vocabulary.keys() >= set(tokens):
            lacks = " and ".join(tokens)
            msg = (
                f"{self.model!r}: its vocabulary does not hold both {lacks}, so how it says no and yes is not known; "
                "give the words it was trained on, as in tokens=('▁não', '▁sim')"
            )
            raise ModelError(msg)
        return [vocabulary[token] for token in tokens]

    def _score(self, model: _Reader, query: str, texts: Candidates) -> Scores:
        inputs, cut, query_cut = model.inputs(query, list(texts))
        order = sorted(range(len(inputs)), key=lambda place: len(inputs[place]), reverse=True)
        odds: list[float] = [0.0] * len(inputs)
        shown = list(odds)
        for start in range(0, len(order), model.batch_size):
            places = order[start : start + model.batch_size]
            found: Tensor = fitted(model.log_odds, [inputs[place] for place in places])
            for place, raw, probability in zip(places, found.tolist(), found.sigmoid().tolist(), strict=True):
                odds[place], shown[place] = raw, probability
        truncated = {place: count for place, count in enumerate(cut) if count}
        return Scores(shown, order=odds, report=Report(truncated=truncated, query_truncated=query_cut))


def _pair(tokens: object) -> tuple[str, str]:
    """Accept two different words."""
    found = tuple(tokens) if isinstance(tokens, Sequence) and not isinstance(tokens, str) else ()
    if len(set(found)) == len(found) == 2 and all(isinstance(token, str) for token in found):
        return found
    msg = f"tokens= are two different words of the vocabulary, no before yes: {ENGLISH}; got {tokens!r:.80}"
    raise ArgumentError(msg)


@dataclass(frozen=True, slots=True)
class _Reader:
    """A loaded model with its tokenizer."""

    tokenizer: Any
    model: Any
    max_length: int
    batch_size: int

    def inputs(self, query: str, texts: list[str]) -> tuple[list[list[int]], list[int], int]:
        """Return each text's prompt as token ids, and how many tokens of each, and of the query, had no room."""
        before, between, last = self._ids(list(PROMPT))
        last = [*last, self.tokenizer.eos_token_id]
        room = self.max_length - len(before) - len(between) - len(last)
        [asked] = self._ids([query])
        most = room * 3 // 4
        start = [*before, *asked[:most], *between]
        room = self.max_length - len(start) - len(last)
        read = self._ids(texts)
        cut = [max(0, len(ids) - room) for ids in read]
        return [[*start, *ids[:room], *last] for ids in read], cut, max(0, len(asked) - most)

    def _ids(self, texts: list[str]) -> list[list[int]]:
        found = self.tokenizer(texts, add_special_tokens=False, truncation=False, verbose=False)
        ids: list[list[int]] = found["input_ids"]
        return ids

    def log_odds(self, inputs: list[list[int]]) -> Tensor:
        """Return logit(yes) - logit(no) of the first word that each prompt is answered with."""
        import torch

        config, device = self.model.config, self.model.device
        rows = [torch.tensor(ids) for ids in inputs]
        padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=config.pad_token_id)
        lengths = torch.tensor([len(ids) for ids in inputs])
        mask = (torch.arange(padded.shape[1]) < lengths[:, None]).long()
        first = torch.full((len(inputs), 1), config.decoder_start_token_id)
        with torch.inference_mode():
            logits = self.model(
                input_ids=padded.to(device), attention_mask=mask.to(device), decoder_input_ids=first.to(device)
            ).logits[:, 0]
        difference: Tensor = logits[:, 1] - logits[:, 0]
        return difference.cpu()


scorer = MonoT5
