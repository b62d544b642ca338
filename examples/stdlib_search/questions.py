"""Questions a programmer might ask, written before anybody looked at what the search makes of them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the dotted names that answer it; none of them when nobody has said what is right."""

    text: str
    answers: tuple[str, ...] = ()


QUESTIONS = (
    Question("merge several sorted inputs lazily", ("heapq.merge",)),
    Question("keep only the last n items seen", ("collections.deque",)),
    Question("find where to insert a value so that a list stays sorted", ("bisect.bisect_left", "bisect.bisect_right")),
    Question("count how often each word occurs", ("collections.Counter",)),
    Question(
        "remember the results of a function so that nothing is computed twice",
        ("functools.lru_cache", "functools.cache"),
    ),
    Question("split a command line the way a shell does", ("shlex.split",)),
    Question("break a long paragraph into lines of a fixed width", ("textwrap.wrap", "textwrap.fill")),
    Question("run another program and capture what it prints", ("subprocess.run", "subprocess.check_output")),
    Question("make a random token that is safe to put in a web address", ("secrets.token_urlsafe",)),
    Question("delete a directory and everything in it", ("shutil.rmtree",)),
    Question("guess the type of a file from its name", ("mimetypes.guess_type",)),
    Question("close a thing at the end of a block even when an error is raised", ("contextlib.closing",)),
)
