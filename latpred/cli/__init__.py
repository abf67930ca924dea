"""The command line: each command loads, calls one library function and prints. A command's module is loaded on use."""

from __future__ import annotations

import signal
import sys
from importlib import import_module
from typing import Any, NoReturn

import click

from latpred import __version__
from latpred.cli.command import Group, with_nearest
from latpred.cli.output import print_error
from latpred.errors import DataError, LatpredError

#: Command → module of this package that defines it.
COMMANDS = {
    "predict": "predict",
    "explain": "explain",
    "sweep": "sweep",
    "recommend-granularity": "recommend",
    "budget": "budget",
    "pareto": "pareto",
    "compare": "compare",
    "ablate-fusion": "ablation",
    "rates-from-masks": "masks",
    "measure": "measure",
    "calibrate": "calibrate",
    "validate": "validate",
    "lut": "lut",
    "page": "page",
    "devices": "catalogue",
    "networks": "catalogue",
}


class _LazyGroup(Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"latpred.cli.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            raise click.UsageError(with_nearest(error.message, args[0], COMMANDS)) from None


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="latpred")
def cli() -> None:
    """Predict how long dynamic neural networks take on a device.

    A dynamic network skips pixels, channels or layers where an input lets it. latpred says in milliseconds what that
    saves, or costs, on a GPU you may not own, for kernels that may not exist yet.

    \b
    latpred predict --device tx2 --block r50-stage1 --S 4 --r 0.6
    """


class _Terminated(BaseException):
    """SIGTERM, by which a batch system or `kill` asks for an end."""


def _terminate(number: int, frame: object) -> NoReturn:
    raise _Terminated


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run a command; a user's mistake ends in one line on stderr and exit code 2 (usage) or 1 (bad data)."""
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        _run(arguments)
    finally:
        signal.signal(signal.SIGTERM, before)


def _run(arguments: list[str] | None) -> NoReturn:
    try:
        cli.main(arguments, prog_name="latpred", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as request:
        click.echo(request.format_message())
        sys.exit(0)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except LatpredError as error:
        _fail(str(error), 1 if isinstance(error, DataError) else 2)
    except (click.Abort, KeyboardInterrupt):
        _fail("interrupted; no file is left half written", 130)
    except _Terminated:
        _fail("terminated; no file is left half written", 143)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        _fail(f"cannot write: {error.strerror or error}", 1)
    sys.exit(0)


def _fail(message: str, code: int) -> NoReturn:
    print_error(message)
    sys.exit(code)
