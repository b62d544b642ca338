"""Search the documentation of Python itself in LangChain, LlamaIndex and Haystack, with one reranker for all three.

Run it from anywhere: ``python examples/quickstart.py``. No key, no server, no download; ``--help`` says what can be
changed. Each framework retrieves with BM25 and with embeddings from its own in-memory store, fuses the two named lists
and reranks what is left. The tables show what each stage made of two dozen questions whose answers are known, right or
wrong, and whether the three frameworks agree. The first run embeds a few thousand passages, which takes about a minute
on a laptop; later runs find the embeddings where the first one kept them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from importlib import import_module
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # before anything is imported: nothing is fetched,
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "False")  # and nothing is sent

from rich.console import Console
from stdlib_search import show
from stdlib_search.clock import Clock
from stdlib_search.host import Corpus, Host, Settings
from stdlib_search.minilm import MiniLM, cache_file, cached, keep
from stdlib_search.passages import MODULES, Passage, collect
from stdlib_search.questions import QUESTIONS, Question
from stdlib_search.stages import Answer, ask, disagreements

from anyrank import AnyRankError, load

if TYPE_CHECKING:
    from collections.abc import Sequence

HOSTS = {
    "LangChain": "stdlib_search.in_langchain",
    "LlamaIndex": "stdlib_search.in_llama_index",
    "Haystack": "stdlib_search.in_haystack",
}

SCORER = "offline"
"""Found on four public test collections."""


def main() -> int:
    """Run the story and return its exit status."""
    options = read_options()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a pipe on Windows may know no check mark
    console = Console(highlight=False)
    try:
        return tell(console, options)
    except KeyboardInterrupt:
        return 130
    except AnyRankError as error:
        console.print(f"{type(error).__name__}: {error}", style="red", markup=False)
        return 2


def tell(console: Console, options: argparse.Namespace) -> int:
    """Collect, embed, index, ask, compare and show; 1 if the frameworks disagree."""
    minilm, clock = MiniLM(), Clock()
    scorer = load(options.scorer)  # a bad spec is refused now, not in a minute
    kinds = import_hosts(console, clock, minilm)
    settings = Settings(scorer, top_n=options.top_n)
    passages = collect_passages(console, clock, options.modules)
    questions = [Question(options.query)] if options.query else answerable(passages, options.questions)
    if not questions:
        console.print("These modules answer none of the questions here: add modules, or ask your own with --query.")
        return 2
    corpus = embed(console, clock, passages, minilm, use_cache=options.cache)
    hosts = index(console, clock, corpus, settings, kinds)

    answers, differing = ask_all(console, clock, corpus, hosts, questions)
    in_first = [answer for answer, *_ in answers]

    show.setting(console, passages, settings, options.scorer)
    show.before_and_after(console, in_first)
    if not options.query:
        show.ranks(console, in_first, hosts[0].name)
        show.quality(console, answers, list(HOSTS))
    show.agreement(console, in_first, list(HOSTS), differing)
    show.timings(console, clock, list(HOSTS), len(questions))
    show.hint(console)
    return 1 if differing else 0


def import_hosts(console: Console, clock: Clock, minilm: MiniLM) -> list[type[Host[Any]]]:
    """Import the libraries, which takes most of the time of a later run, and load the model."""
    with show.progress(console, "Importing", len(HOSTS) + 1) as advance:
        with clock("import"):
            minilm.of_question("the first call loads the model")
        advance(1)
        kinds = []
        for name, module in HOSTS.items():
            with clock("import", name):
                kinds.append(getattr(import_module(module), name))
            advance(1)
    return kinds


def collect_passages(console: Console, clock: Clock, modules: Sequence[str]) -> list[Passage]:
    """Read the docstrings, in a child process."""
    with show.progress(console, "Collecting", len(modules)) as advance, clock("collect"):
        return collect(modules, on_module=lambda _: advance(1))


def embed(console: Console, clock: Clock, passages: Sequence[Passage], minilm: MiniLM, *, use_cache: bool) -> Corpus:
    """Embed the passages once for all three frameworks, or read what an earlier run kept."""
    texts = [passage.text for passage in passages]
    path = cache_file(texts, model=minilm.folder)
    with clock("embed"):
        vectors = cached(path, len(texts)) if use_cache else None
        if vectors is None:
            with show.progress(console, f"Embedding {len(texts):,} passages", sum(map(len, texts))) as advance:
                vectors = minilm.of_texts(texts, on_batch=advance)
            if use_cache:
                keep(path, vectors)
    return Corpus(passages, vectors, minilm)


def index(
    console: Console, clock: Clock, corpus: Corpus, settings: Settings, kinds: Sequence[type[Host[Any]]]
) -> list[Host[Any]]:
    """Fill each framework's store and build its chain."""
    hosts = []
    with show.progress(console, "Indexing", len(kinds)) as advance:
        for kind in kinds:
            with clock("index", kind.name):
                hosts.append(kind(corpus, settings))
            advance(1)
    return hosts


def answerable(passages: Sequence[Passage], limit: int) -> list[Question]:
    """Return the first questions whose answers are among the passages."""
    names = {passage.name for passage in passages}
    return [question for question in QUESTIONS[:limit] if names.intersection(question.answers)]


def ask_all(
    console: Console, clock: Clock, corpus: Corpus, hosts: Sequence[Host[Any]], questions: Sequence[Question]
) -> tuple[list[list[Answer]], list[str]]:
    """Ask every question in every framework; return the answers, question by question, and who disagrees."""
    answers, differing = [], []
    with show.progress(console, "Asking", len(questions) * len(hosts)) as advance:
        for question in questions:
            found = [ask(host, question, clock, advance) for host in hosts]
            differing += disagreements(hosts, corpus, found)
            answers.append(found)
    return answers, differing


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    ask_what = parser.add_mutually_exclusive_group()
    ask_what.add_argument(
        "--questions",
        type=positive,
        metavar="N",
        default=24,
        help=f"ask the first N of {len(QUESTIONS)} questions (24)",
    )
    ask_what.add_argument("--query", help="ask your own question instead")
    parser.add_argument("--top-n", type=positive, default=10, help="how many a reranker returns (10)")
    parser.add_argument("--scorer", type=spec, default=SCORER, help="such as lexical, jina, or JSON")
    parser.add_argument("--modules", type=names, default=MODULES, help="only these, such as heapq,collections")
    parser.add_argument("--no-cache", dest="cache", action="store_false", help="embed again, and keep nothing")
    return parser.parse_args()


def positive(text: str) -> int:
    """Read a number of at least 1."""
    number = int(text)
    if number < 1:
        msg = f"must be at least 1, not {number}"
        raise argparse.ArgumentTypeError(msg)
    return number


def spec(text: str) -> Any:
    """Read a scorer spec: a string, or JSON."""
    return json.loads(text) if text.lstrip().startswith("{") else text


def names(text: str) -> list[str]:
    """Read names of modules of the list, with commas between them."""
    given = text.replace(",", " ").split()
    for name in given:
        if name not in MODULES:
            msg = f"{name!r} is not in the list of modules in stdlib_search/passages.py"
            raise argparse.ArgumentTypeError(msg)
    return given


if __name__ == "__main__":
    sys.exit(main())
