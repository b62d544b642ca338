"""What pytest has to know before it looks into this folder."""  # noqa: INP001 - pytest's file, in no package

import os

os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "false"  # before Haystack's first import: no test leaves this machine

collect_ignore = ["src"]  # below a namespace pytest takes a package for a top-level one: ours would be `anyrank`
