"""What all commands have in common: an option given twice is refused, a mistyped choice gets the nearest one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import click

from latpred.wording import did_you_mean


class Command(click.Command):
    """Refuses an option of one value that is given twice, of which click would take the last."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The rest of the arguments, as click does it, after the check."""
        if not ctx.resilient_parsing:
            _, _, given = self.make_parser(ctx).parse_args(args=list(args))
            for option, times in Counter(given).items():
                if isinstance(option, click.Option) and times > 1 and not (option.multiple or option.is_flag):
                    raise click.UsageError(f"{option.opts[0]} is given {times} times, and takes one value; keep one")
        return super().parse_args(ctx, args)


class Group(click.Group):
    """A group whose commands are such."""

    command_class = Command


class Choice(click.Choice[str]):
    """One of several words; another gets the nearest of them."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word; raises BadParameter for another."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            raise click.BadParameter(with_nearest(error.message, value, self.choices), ctx, param) from None


def with_nearest(message: str, given: object, known: Iterable[str]) -> str:
    """A sentence of click's, and the known name that is nearest to what was given, where there is one."""
    hint = did_you_mean(given, known)
    return message.rstrip(".") + hint if hint else message


def command(name: str | None = None, **settings: Any) -> Callable[[Callable[..., Any]], Command]:
    """Makes a function a command."""
    return click.command(name, cls=Command, **settings)
