"""What has to be set before the hosts and the model libraries are first imported."""  # noqa: INP001 - pytest's file, in no package

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
