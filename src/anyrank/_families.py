"""Which family a loaded cross-encoder is of, told by its files; and what it needs to be asked and read as that one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ._prompts import FAMILIES, KNOWN, PAIR, Template
from ._read_out import read_only, token_id
from .errors import ModelError

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder as Model

OWN: Final = "template={'prompt': '… {query} … {document} …', 'yes': …, 'no': …}"


def prepared(name: str, model: Model, given: Template | str | None, instruction: str | None) -> Template | None:
    """Let a model be asked and read as a template says, the one given or that of its family; return which.

    None is for a model that is asked as its repository says. Raises `ModelError` for a model whose scores would be
    random: an untrained head, a head of more than two labels, a language model nobody says how to ask.
    """
    refuse_untrained(name, model)
    reading = read_out(model)
    if reading is None and model.num_labels > 2:
        msg = f"{name!r} has a head of {model.num_labels} labels; a reranker's has one, or two (no, yes)"
        raise ModelError(msg)
    template = _of_files(name, model) if given is None else given
    _let_pad(model)
    if template == PAIR:
        _ask_bare(name, model)
    if not isinstance(template, Template):
        if reading is not None:
            _read(model, [reading.true_token_id, reading.false_token_id])
        return None
    if instruction and not template.takes_instruction:
        raise ModelError(deaf(name))
    _ask(name, model, template, instruction)
    if reading is not None:
        if template.yes is None:
            msg = f"{name!r} is a language model, and its template= does not say which token means yes: give 'yes'"
            raise ModelError(msg)
        answers = (template.yes, template.no)
        _read(model, [None if token is None else token_id(name, model.tokenizer, token) for token in answers])
    return template


def read_out(model: Model) -> Any:
    """Return the part of a language model that reads its answer; None for a model that ends in a head."""
    from sentence_transformers.cross_encoder.modules.logit_score import LogitScore

    return next((module for module in model if isinstance(module, LogitScore)), None)


def deaf(name: str) -> str:
    """Say that a model takes no instruction."""
    return (
        f"{name!r} takes no instruction: nothing that it reads changes with one. Leave instruction= out, put it into "
        "the query, or give a template= with an {instruction}"
    )


def refuse_untrained(name: str, model: Model) -> None:
    """Raise `ModelError` when weights are not in the checkpoint: their scores would be random."""
    transformer: Any = model.transformers_model
    suspects = [
        key for key, weight in transformer.named_parameters() if not getattr(weight, "_is_hf_initialized", False)
    ]
    if not suspects:
        return
    config = transformer.config
    _, loading = type(transformer).from_pretrained(
        transformer.name_or_path,
        config=config,
        revision=getattr(config, "_commit_hash", None) or "main",
        output_loading_info=True,
    )
    missing = sorted(loading["missing_keys"])
    if missing:
        msg = (
            f"{name!r} is no trained cross-encoder: the checkpoint lacks {', '.join(missing[:4])}, so scores would be "
            "random. Use a model trained for reranking, or 'embedding:…' for a bi-encoder"
        )
        raise ModelError(msg)


def _of_files(name: str, model: Model) -> Template | None:
    """Return the template of the family that a repository's files show; None where they say themselves how to ask.

    Raises `ModelError` where neither is so. A name shows nothing.
    """
    reading, tokenizer = read_out(model), model.tokenizer
    if reading is not None and reading.true_token_id in (reading.false_token_id, tokenizer.unk_token_id):
        msg = (
            f"{name!r}: its tokenizer has no token for 'yes' or 'no', so that every text would score the same; if it "
            f"answers otherwise, say so: {OWN}"
        )
        raise ModelError(msg)
    if _has_file(name, model, "modules.json"):
        return None
    if reading is not None:
        if _has_file(name, model, "modeling_zeranker.py"):
            return FAMILIES["zerank"]
        raise ModelError(_unknown(name, "is a causal language model"))
    if "LlamaBidirectionalForSequenceClassification" in (_config(model).architectures or ()):
        return FAMILIES["nemotron"]
    if tokenizer.chat_template is not None:
        raise ModelError(_unknown(name, "ends in a head of one label, but comes with the words of a chat model,"))
    return None


def _unknown(name: str, what: str) -> str:
    return (
        f"{name!r} {what} without a modules.json that says how it is prompted and read, so scores would be close to "
        f"random. Say which family it is of, template= one of {KNOWN} ({PAIR!r} for a head trained on bare pairs), or "
        f"describe it, {OWN}; or use a repository with modules.json, such as a sentence-transformers conversion of it"
    )


def _has_file(name: str, model: Model, file: str) -> bool:
    from transformers.utils.hub import cached_file

    revision = getattr(_config(model), "_commit_hash", None)
    found = cached_file(name, file, revision=revision, _raise_exceptions_for_missing_entries=False)
    return found is not None


def _config(model: Model) -> Any:
    transformer: Any = model.transformers_model
    return transformer.config


def _let_pad(model: Model) -> None:
    """Let a model without a padding token score more than one pair at once: padding is masked, any token will do."""
    tokenizer, config = model.tokenizer, _config(model).get_text_config()
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if config.pad_token_id is None:
        config.pad_token_id = tokenizer.pad_token_id


def _ask(name: str, model: Model, template: Template, instruction: str | None) -> None:
    """Put the template in place of the repository's own."""
    first: Any = model[0]
    if first.processor is not first.tokenizer:
        msg = f"{name!r} reads more than text, and a template= is of text only: leave it out"
        raise ModelError(msg)
    first.processor.chat_template = template.chat_template(instruction)
    first.input_formatter.message_format = "flat"
    first.modality_config = {**first.modality_config, "message": {**first.modality_config["text"], "format": "flat"}}
    first.input_formatter.supported_modalities = list(first.modality_config)


def _ask_bare(name: str, model: Model) -> None:
    """Let the tokenizer join pairs, whatever chat template it comes with."""
    if read_out(model) is not None:
        msg = f"{name!r} is a causal language model, which answers nothing to a bare pair: give another template="
        raise ModelError(msg)
    first: Any = model[0]
    first.processor.chat_template = None
    first.modality_config = {kind: reads for kind, reads in first.modality_config.items() if kind != "message"}
    first.input_formatter.supported_modalities = list(first.modality_config)


def _read(model: Model, answers: list[int | None]) -> None:
    """Let the answer be read from these tokens, "yes" first, in float32."""
    reading, ids = read_out(model), [token for token in answers if token is not None]
    if read_only(model.transformers_model, ids):
        answers = [0, 1 if len(ids) == 2 else None]
    reading.true_token_id, reading.false_token_id = answers
