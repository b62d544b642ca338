"""Real servers for the tests beside this file: each in an environment of its own, started once, stopped at the end."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import pytest

HERE = Path(__file__).parent
KEY = "sk-local-7c1d5b0e9f2a4c68"
MODEL = "tiny-ce"
CHAT_MODEL = "tiny-chat"
START_SECONDS = 240
UNWANTED = {"vllm": ["torchvision", "torchaudio", "torchcodec"]}
"""Packages that a server's requirements bring along, built for another torch than the one it runs with."""


@dataclass(frozen=True)
class Server:
    """A running server: its URL on loopback, and the key it wants."""

    url: str
    key: str = KEY


@pytest.fixture(scope="session")
def home():
    """Give the folder of the servers' environments: ANYRANK_SERVERS_HOME, which is kept, or one for this run."""
    kept = os.environ.get("ANYRANK_SERVERS_HOME")
    if kept:
        yield Path(kept).absolute()
        return
    folder = Path(tempfile.mkdtemp(prefix="anyrank-servers-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def logs(tmp_path_factory):
    """Give the folder of the servers' logs."""
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """Make the model that all servers serve, and give its folder."""
    pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("model") / MODEL
    subprocess.run([sys.executable, HERE / "tiny_cross_encoder.py", folder], check=True, env=offline())
    return folder


@pytest.fixture(scope="session")
def infinity(home, logs, model):
    """Run Infinity."""
    command = [installed(home, "infinity") / "infinity_emb", "v2", "--model-id", model, "--served-model-name", MODEL]
    command += ["--engine", "torch", "--device", "cpu", "--no-bettertransformer", "--no-model-warmup"]
    command += ["--url-prefix", "/v1", "--api-key", KEY]
    with running(command, logs / "infinity.log", INFINITY_ANONYMOUS_USAGE_STATS="0", DO_NOT_TRACK="1") as url:
        yield Server(f"{url}/v1")


@pytest.fixture(scope="session")
def vllm(home, logs, model):
    """Run vLLM on the CPU."""
    command = [installed(home, "vllm") / "python", "-m", "vllm.entrypoints.openai.api_server", "--model", model]
    command += ["--served-model-name", MODEL, "--runner", "pooling", "--max-model-len", "512", "--dtype", "float32"]
    command += ["--enforce-eager", "--api-key", KEY]
    with running(command, logs / "vllm.log", VLLM_NO_USAGE_STATS="1", VLLM_CPU_KVCACHE_SPACE="1") as url:
        yield Server(url)


@pytest.fixture(scope="session")
def chat_folder(tmp_path_factory):
    """Make the chat model, and give its folder."""
    pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("model") / CHAT_MODEL
    subprocess.run([sys.executable, HERE / "tiny_chat_model.py", folder], check=True, env=offline())
    return folder


@pytest.fixture(scope="session")
def vllm_chat(home, logs, chat_folder):
    """Run vLLM on the CPU with a chat model, held to schemas without white space, of which it might see no end."""
    command = [installed(home, "vllm") / "python", "-m", "vllm.entrypoints.openai.api_server", "--model", chat_folder]
    command += ["--served-model-name", CHAT_MODEL, "--max-model-len", "2048", "--dtype", "float32", "--enforce-eager"]
    command += ["--max-logprobs", "5", "--api-key", KEY]
    command += ["--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}']
    with running(command, logs / "vllm-chat.log", VLLM_NO_USAGE_STATS="1", VLLM_CPU_KVCACHE_SPACE="1") as url:
        yield Server(url)


@pytest.fixture(scope="session")
def litellm(home, logs, infinity, vllm):
    """Run the LiteLLM proxy, which reaches Infinity and vLLM as four kinds of service."""
    upstreams = {
        "ce-infinity": f"{{model: infinity/{MODEL}, api_base: '{infinity.url}', api_key: {KEY}}}",
        "ce-vllm": f"{{model: hosted_vllm/{MODEL}, api_base: '{vllm.url}', api_key: {KEY}}}",
        "ce-cohere": f"{{model: cohere/{MODEL}, api_base: '{vllm.url}', api_key: {KEY}}}",
        "ce-jina": f"{{model: jina_ai/{MODEL}, api_base: '{vllm.url}', api_key: {KEY}}}",
    }
    models = [f"  - {{model_name: {name}, litellm_params: {upstream}}}\n" for name, upstream in upstreams.items()]
    settings = logs / "litellm.yaml"
    settings.write_text(f"model_list:\n{''.join(models)}general_settings: {{master_key: {KEY}}}\n", encoding="utf-8")
    command = [installed(home, "litellm") / "litellm", "--config", settings]
    with running(command, logs / "litellm.log", LITELLM_LOCAL_MODEL_COST_MAP="True", LITELLM_TELEMETRY="False") as url:
        yield Server(url)


def installed(home, name):
    """Return the folder of a server's programs, installed if need be; skip where that cannot be done here."""
    environment = home / name
    wanted, done = HERE / f"requirements-{name}.txt", environment / "installed.txt"
    programs = environment / "bin"
    if done.exists() and done.read_text() == wanted.read_text():
        return programs
    steps = [[sys.executable, "-m", "venv", environment], [programs / "pip", "install", "--quiet", "-r", wanted]]
    if name in UNWANTED:
        steps.append([programs / "pip", "uninstall", "--quiet", "--yes", *UNWANTED[name]])
    for step in steps:
        made = subprocess.run(step, capture_output=True, text=True, check=False)
        if made.returncode:
            pytest.skip(f"{name} cannot be installed here: {made.stderr[-600:] or made.stdout[-600:]}")
    done.write_text(wanted.read_text())
    return programs


@contextmanager
def running(command, log, **settings):
    """Run a server for the block's time on a free port, and give its URL once it answers."""
    port = free_port()
    command = [*command, "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, env=offline() | settings, start_new_session=True
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for_answer(process, url, log)
        yield url
    finally:
        stop(process)


def wait_for_answer(process, url, log):
    """Wait until a server answers, whatever it says; fail with the end of its log where it does not."""
    opener = build_opener(ProxyHandler({}))
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        try:
            opener.open(url, timeout=5).close()
        except HTTPError:
            return
        except OSError:
            time.sleep(0.25)
        else:
            return
    ended = "is not ready" if process.poll() is None else f"ended with {process.returncode}"
    pytest.fail(f"the server {ended}:\n{log.read_text(errors='replace')[-2000:]}", pytrace=False)


def stop(process):
    """End a server and what it has started."""
    for ending, seconds in ((signal.SIGTERM, 15), (signal.SIGKILL, 15)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, ending)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)


def offline():
    """Return the environment of a server: it fetches nothing, and has no keys but its own."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith(("_KEY", "_TOKEN"))}
    return kept | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def free_port():
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
