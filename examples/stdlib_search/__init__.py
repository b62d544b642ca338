"""The parts of ``quickstart.py``: a search over Python's own documentation, once in each framework."""
