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
    Question("pause the program for a few seconds", ("time.sleep",)),
    Question("measure how long a piece of code takes as precisely as possible", ("time.perf_counter", "timeit.timeit")),
    Question(
        "turn a date written as text into a datetime", ("datetime.datetime.strptime", "datetime.datetime.fromisoformat")
    ),
    Question("find all files whose names match a pattern", ("glob.glob", "glob.iglob", "pathlib.Path.glob")),
    Question("make a folder together with the parents it lacks", ("os.makedirs", "pathlib.Path.mkdir")),
    Question(
        "a temporary file that disappears when it is closed", ("tempfile.TemporaryFile", "tempfile.NamedTemporaryFile")
    ),
    Question("the middle value of a set of numbers", ("statistics.median",)),
    Question(
        "how far values are spread around their mean", ("statistics.stdev", "statistics.pstdev", "statistics.variance")
    ),
    Question("greatest number that divides two integers", ("math.gcd",)),
    Question("exact decimal arithmetic for money", ("decimal.Decimal", "decimal")),
    Question("read a spreadsheet saved as comma separated text", ("csv.reader", "csv.DictReader", "csv")),
    Question("write Python objects to a text format that JavaScript reads", ("json.dumps", "json.dump", "json")),
    Question("save any Python object to bytes and load it again", ("pickle.dumps", "pickle.dump", "pickle")),
    Question(
        "checksum of a file that nobody can forge", ("hashlib.sha256", "hashlib", "hashlib.file_digest", "hashlib.new")
    ),
    Question(
        "compare two secrets without revealing anything by timing", ("hmac.compare_digest", "secrets.compare_digest")
    ),
    Question(
        "encode binary data as printable letters for an email", ("base64.b64encode", "base64.encodebytes", "base64")
    ),
    Question("compress a byte string", ("zlib.compress", "gzip.compress", "bz2.compress", "lzma.compress")),
    Question("unpack an archive whatever its format", ("shutil.unpack_archive",)),
    Question("copy a file with its permissions and times", ("shutil.copy2",)),
    Question("how much space is left on the disk", ("shutil.disk_usage",)),
    Question("find the full path of a program that can be executed", ("shutil.which",)),
    Question("break a web address into its parts", ("urllib.parse.urlparse", "urllib.parse.urlsplit")),
    Question(
        "escape spaces and other characters in a query string",
        ("urllib.parse.quote", "urllib.parse.quote_plus", "urllib.parse.urlencode"),
    ),
    Question("all the ways to choose k items out of n", ("itertools.combinations",)),
    Question("every order in which items can be arranged", ("itertools.permutations",)),
    Question("go through several lists one after the other as if they were one", ("itertools.chain",)),
    Question("running totals of a sequence", ("itertools.accumulate",)),
    Question("take elements as long as a condition holds", ("itertools.takewhile",)),
    Question("a dictionary that makes a value for keys it does not have yet", ("collections.defaultdict",)),
    Question("a tuple whose fields have names", ("collections.namedtuple", "typing.NamedTuple")),
    Question("fix some arguments of a function in advance", ("functools.partial",)),
    Question("make a decorated function keep its name and docstring", ("functools.wraps", "functools.update_wrapper")),
    Question("reduce a list to one value by combining two at a time", ("functools.reduce",)),
    Question("a lock that the same thread may take twice", ("threading.RLock",)),
    Question(
        "wait until several coroutines are finished and collect their results",
        ("asyncio.gather", "asyncio.tasks.gather"),
    ),
    Question(
        "cancel a coroutine that takes too long",
        ("asyncio.wait_for", "asyncio.timeout", "asyncio.tasks.wait_for", "asyncio.timeouts.timeout"),
    ),
    Question("read options from the command line", ("argparse.ArgumentParser", "argparse")),
    Question("print a nested structure so that people can read it", ("pprint.pprint", "pprint.pformat", "pprint")),
    Question(
        "show the differences between two texts line by line",
        ("difflib.unified_diff", "difflib.ndiff", "difflib.context_diff"),
    ),
    Question("find the words in a list that are most like a misspelt one", ("difflib.get_close_matches",)),
    Question("replace every match of a pattern in a string", ("re.sub",)),
    Question("remove the common leading spaces of all lines", ("textwrap.dedent",)),
    Question("convert special characters so that they are safe in a web page", ("html.escape",)),
    Question("which weekday a date is", ("calendar.weekday", "datetime.date.weekday", "datetime.date.isoweekday")),
    Question(
        "the text of the error and the calls that led to it as a string",
        ("traceback.format_exc", "traceback.format_exception"),
    ),
    Question("find out what keeps memory by comparing two moments", ("tracemalloc.Snapshot.compare_to", "tracemalloc")),
    Question(
        "see which function of a program is slow",
        ("cProfile.run", "cProfile.Profile", "cProfile", "profile", "profile.run"),
    ),
    Question("split a path into folder and file name", ("os.path.split", "posixpath.split")),
    Question("make an object that can be copied with all it holds", ("copy.deepcopy",)),
    Question("a set of named constants", ("enum.Enum", "enum")),
    Question("write a class that only holds data without writing its constructor", ("dataclasses.dataclass",)),
    Question("ignore an exception in a block of code", ("contextlib.suppress",)),
    Question("send what is printed somewhere else", ("contextlib.redirect_stdout",)),
    Question(
        "a number that identifies something everywhere without asking anybody", ("uuid.uuid4", "uuid.uuid1", "uuid")
    ),
    Question("store tables in a single file and query them with SQL", ("sqlite3.connect", "sqlite3")),
    Question("read settings from a file with sections", ("configparser.ConfigParser", "configparser")),
)
