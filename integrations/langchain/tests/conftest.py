"""What the tests share, and how the coroutine tests of LangChain's own suite are run."""

import asyncio
import inspect
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.load import loads
from langchain_core.tracers.base import BaseTracer
from langchain_core.tracers.schemas import Run

from langchain_anyrank import AnyRankCompressor, Fusion


class Recorder(BaseTracer):
    """Keeps the finished traces, each as its outermost run."""

    def __init__(self):
        """Start with nothing seen."""
        super().__init__()
        self.traces: list[Run] = []

    def _persist_run(self, run: Run) -> None:
        self.traces.append(run)

    @property
    def trace(self) -> Run:
        """The only trace there is."""
        [trace] = self.traces
        return trace


@pytest.fixture
def recorder() -> Recorder:
    """Give a handler that keeps traces."""
    return Recorder()


@pytest.fixture
def revive() -> Callable[..., Any]:
    """Give a reader of what ``dumps`` wrote; newer versions want to be told which classes may be built."""
    knows = "allowed_objects" in inspect.signature(loads).parameters
    allowed = {"allowed_objects": [AnyRankCompressor, Fusion]} if knows else {}

    def read(saved: str, **options: Any) -> Any:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The function `loads` is in beta")
            return loads(saved, valid_namespaces=["langchain_anyrank"], **allowed, **options)

    return read


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine test, so that LangChain's suite needs no plugin and no setting."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in wanted}))
    return True
