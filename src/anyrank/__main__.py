"""The command line, as ``python -m anyrank``."""

from .cli import main

if __name__ == "__main__":
    main()
