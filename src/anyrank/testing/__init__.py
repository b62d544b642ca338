"""The behaviour every scorer and every adapter must have, as test classes to subclass (needs pytest).

::

    class TestMine(ScorerContract):
        @pytest.fixture
        def scorer(self):
            return Mine()

A subclass may not drop or replace a test of its contract, except to mark it ``xfail`` with a reason.
"""

from ._adapter_host import KEYED, WAIT
from ._base import Contract, installed_scorers
from .adapter_contract import AdapterContract
from .scorer_contract import ScorerContract

__all__ = ["KEYED", "WAIT", "AdapterContract", "Contract", "ScorerContract", "installed_scorers"]
