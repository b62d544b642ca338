"""A loaded cross-encoder: how a query and a text become what it reads, and how its score is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ._fit import Fitted, Pair, fitted_pairs
from ._images import ImageLoader, picture
from ._library import fitted, tokens_cut
from .scorer import Image

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sentence_transformers import CrossEncoder as Model

    from ._prompts import Template

OF_RENDERING: Final = {"padding", "truncation", "max_length", "return_tensors", "restore_suffix"}
"""Settings for a chat template that do not go into what it renders."""

UNLIMITED: Final = 2**31


@dataclass(frozen=True, slots=True)
class PairReader:
    """A model of sentence-transformers, and how it is asked.

    ``instruction`` is given to the library as its ``prompt``; a template holds its own already.
    """

    model: Model
    template: Template | None = None
    instruction: str | None = None
    load_image: ImageLoader | None = None

    @property
    def tokenizer(self) -> Any:
        """The model's tokenizer."""
        return self.model.tokenizer

    @property
    def device(self) -> Any:
        """Where the model is."""
        return self.model.device

    @property
    def max_seq_length(self) -> int:
        """How many tokens there are for query and text beside those of a prompt."""
        limit = self.model.max_seq_length or UNLIMITED
        return limit - len(self._ids([("", "")])[0]) if self.prompted else limit

    @property
    def prompted(self) -> bool:
        """Whether a chat template puts words around query and text."""
        return "message" in self.model.modalities

    @property
    def sees(self) -> bool:
        """Whether it reads images, beside text."""
        return self.prompted and self.model.supports("image") and not self._flat

    @property
    def _first(self) -> Any:
        """The part of the model that turns words into tokens."""
        return self.model[0]

    @property
    def _flat(self) -> bool:
        return bool(self._first.input_formatter.message_format == "flat")

    def fit(self, query: str, texts: Sequence[str]) -> Fitted:
        """Return the pairs of a query and its texts, those that are too long cut. Raises `ModelError`."""
        plain = [(self._plain(query), text if isinstance(text, Image) else self._plain(text)) for text in texts]
        places = [place for place, text in enumerate(texts) if not isinstance(text, Image)]
        found = fitted_pairs([plain[place] for place in places], self.tokenizer, self._excess)
        for place, pair in zip(places, found.pairs, strict=True):
            plain[place] = pair
        return Fitted(plain, {places[place]: tokens for place, tokens in found.cut.items()}, found.query_cut)

    def logits(self, pairs: Sequence[Pair], batch_size: int) -> list[float]:
        """Return one logit a pair, batches made of pairs of like length; one that does not fit is halved."""
        images = any(isinstance(text, Image) for _, text in pairs)
        step = batch_size if images else len(pairs)  # not all images are unpacked at once
        parts = [pairs[start : start + step] for start in range(0, len(pairs), step)]
        return [logit for part in parts for logit in self._logits(part, batch_size)]

    def _logits(self, pairs: Sequence[Pair], batch_size: int) -> list[float]:
        from torch import nn

        found = fitted(
            lambda part: self.model.predict(
                part,
                prompt=self.instruction,
                batch_size=batch_size,
                activation_fn=nn.Identity(),
                show_progress_bar=False,
                convert_to_tensor=True,
            ),
            [self._input(*pair) for pair in pairs],
        ).float()
        values: list[float] = (found[:, 1] - found[:, 0] if found.ndim == 2 else found).tolist()
        return values

    def shown(self, logits: Sequence[float], *, saved: bool) -> list[float]:
        """Return logits behind a sigmoid, or behind the activation that the model was saved with.

        What two labels are read out as is no logit that a saved activation is meant for, and stays as it is.
        """
        from torch import sigmoid, tensor

        raw, activation = tensor(logits), self.model.activation_fn
        if saved:
            found: list[float] = (raw if activation is None or self.model.num_labels > 1 else activation(raw)).tolist()
            return found
        probabilities: list[float] = sigmoid(
            raw / (1.0 if self.template is None else self.template.temperature)
        ).tolist()
        return probabilities

    def heeds(self, instruction: str) -> bool:
        """Whether what the model reads changes with an instruction, as its repository made it."""
        if not self.prompted:
            return any(self.model.prompts.values())
        from jinja2 import TemplateError

        try:
            return len({self._rendered([("", "")], prompt)[0] for prompt in ("", instruction)}) == 2
        except TemplateError:  # templates raise for roles they do not know
            return False

    def _plain(self, text: str) -> str:
        """Return the text without the words that stand for images, which would be looked for."""
        for name in ("image_token", "video_token"):
            token = getattr(self._first.processor, name, None)
            text = text.replace(token, " ") if isinstance(token, str) else text
        return text

    def _input(self, query: str, text: str) -> Any:
        """Return a pair as the library takes it.

        Where it can take images it would fetch any text that looks like the URL, or the file, of one: there each part
        says what it is.
        """
        if self._flat or not self.prompted:
            return (query, text)
        shown = {"image": picture(text, self.load_image)} if isinstance(text, Image) else {"text": text}
        return ({"text": query}, shown)

    def _excess(self, pairs: list[Pair]) -> dict[int, int]:
        """Return by how many tokens pairs are too long for the model."""
        limit = self.model.max_seq_length or UNLIMITED
        if not self.prompted:
            queries, texts = [self._lead() + query for query, _ in pairs], [text for _, text in pairs]
            return tokens_cut(self.tokenizer, limit, queries, texts)
        added = self.tokenizer.num_special_tokens_to_add()  # a chat template holds its own
        return tokens_cut(self.tokenizer, limit + added, self._rendered(pairs, self._lead()))

    def _lead(self) -> str:
        """Return what the library puts before the query, or into a chat template."""
        return self.instruction or self.model.prompts.get(self.model.default_prompt_name or "") or ""

    def _ids(self, pairs: Iterable[Pair]) -> list[list[int]]:
        prompts = self._rendered(pairs, self._lead())
        ids: list[list[int]] = self.tokenizer(prompts, add_special_tokens=False)["input_ids"]
        return ids

    def _rendered(self, pairs: Iterable[Pair], instruction: str) -> list[str]:
        """Return the prompts that the chat template makes of pairs of texts."""
        first = self._first
        messages = [first.input_formatter.pair_to_messages(self._input(*pair)) for pair in pairs]
        if instruction:
            messages = first.input_formatter.prepend_prompt_to_messages(messages, instruction)
        settings = first.processing_kwargs.get("chat_template", {})
        settings = {name: value for name, value in settings.items() if name not in OF_RENDERING}
        prompts: list[str] = first.processor.apply_chat_template(messages, tokenize=False, **settings)
        return prompts
