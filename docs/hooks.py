"""Make the pictures of the pages before they are built: the papers', and those of the model."""

import subprocess
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
MADE = DOCS / "made"


def on_pre_build(config: Any) -> None:
    """Once: `mkdocs serve` watches the folder. Remove `docs/made` to make them again."""
    if MADE.exists():
        return
    command = [sys.executable, str(DOCS.parent / "examples" / "reproduce_paper.py"), "--output", str(MADE)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    sys.path.insert(0, str(DOCS))
    import figures

    figures.write(MADE)
