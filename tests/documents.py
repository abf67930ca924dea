"""The parts of the documentation that are made from the program: console blocks, and a page per command."""

import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click

from latpred.cli import COMMANDS

ROOT = Path(__file__).parents[1]
#: A fenced block; lines that begin with `$ ` are commands, the others what they print.
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: What completes in each shell, and the file where it is written.
COMPLETION = {
    'eval "$(_LATPRED_COMPLETE=bash_source latpred)"': "~/.bashrc",
    'eval "$(_LATPRED_COMPLETE=zsh_source latpred)"': "~/.zshrc",
    "_LATPRED_COMPLETE=fish_source latpred | source": "~/.config/fish/config.fish",
}
PAGES = sorted({ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md")})


def blocks(page):
    """The console blocks of a page."""
    return CONSOLE.findall(page.read_text(encoding="utf-8"))


def printed(block, folder):
    """The block with what its commands print now, in `folder`, where the examples are."""
    if not (folder / "examples").exists():
        (folder / "examples").symlink_to(ROOT / "examples")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "FORCE_COLOR")}
    environment = {**kept, "PATH": path, "PYTHONUTF8": "1"}
    lines = []
    for command in re.findall(r"^\$ (.*)$", block, re.MULTILINE):
        run = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )
        lines += [f"$ {command}", *run.stdout.rstrip("\n").split("\n")] if run.stdout.strip() else [f"$ {command}"]
    return "\n".join(lines) + "\n"


def command_pages():
    """The text of every page of `docs/commands/` by file name, from `--help`."""
    pages = {f"{name}.md": _page(name) for name in COMMANDS}
    rows = [f"- [`{name}`]({name}.md): {_command(name).get_short_help_str(200)}" for name in COMMANDS]
    about = "Every command has `--help`, with an example; these pages are made from it."
    lines = "\n".join(f"{line:54} # {file}" for line, file in COMPLETION.items())
    completion = (
        f"Commands, options and names complete after one line in your shell's start-up file:\n\n```sh\n{lines}\n```"
    )
    tree = ["```{toctree}", ":hidden:", "", *COMMANDS, "```"]
    return {
        "index.md": "\n".join(["# Commands", "", about, "", *rows, "", "## Completion", "", completion, "", *tree, ""]),
        **pages,
    }


def _command(name):
    return getattr(import_module(f"latpred.cli.{COMMANDS[name]}"), name.replace("-", "_"))


def _page(name):
    command, lines = _command(name), [f"# latpred {name}", "", *_help(name, _command(name))]
    for sub in getattr(command, "commands", {}).values():
        lines += [f"## latpred {name} {sub.name}", "", *_help(f"{name} {sub.name}", sub)]
    return "\n".join(lines)


def _help(name, command):
    context = click.Context(command, info_name=f"latpred {name}", terminal_width=100, max_content_width=100)
    context.help_option_names = ["-h", "--help"]
    return ["```text", *(line.rstrip() for line in command.get_help(context).splitlines()), "```", ""]
