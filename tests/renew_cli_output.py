"""Run the command in the first line of every file of cli_output/ again; read the difference before you commit it."""

import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

if __name__ == "__main__":
    for path in sorted((ROOT / "tests" / "cli_output").glob("*.txt")):
        command = path.read_text(encoding="utf-8").split("\n", 1)[0]
        arguments = [sys.executable, "-m", *shlex.split(command)[1:]]
        printed = subprocess.run(arguments, cwd=ROOT, check=True, capture_output=True, encoding="utf-8").stdout
        path.write_text(f"{command}\n{printed}", encoding="utf-8")
