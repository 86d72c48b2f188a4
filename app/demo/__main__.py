"""`python -m app.demo [FOLDER]`: the demo without the command line."""

import sys
from pathlib import Path

from app import console, logs
from app.demo.story import play
from model.errors import SpillwatchError

if __name__ == "__main__":
    logs.configure()
    try:
        sys.exit(play(Path(sys.argv[1] if len(sys.argv) > 1 else "demo")))
    except SpillwatchError as error:
        console.complain(str(error))
        sys.exit(2)
