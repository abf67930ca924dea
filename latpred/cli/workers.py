"""Options that say who does the work: this process, several on this machine, or the workers of a Dask cluster."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from time import sleep
from typing import Any, NamedTuple, TypeVar

import click

from latpred import __version__
from latpred.cli import options
from latpred.errors import LatpredError
from latpred.studies.parallel import Workers
from latpred.wording import quoted

F = TypeVar("F", bound=Callable[..., Any])
#: Time within which a Dask scheduler answers, has workers, and is gone where it stops [s].
ANSWERS_S, HAS_WORKERS_S, CLOSES_S = 4, 3, 3


class Hands(NamedTuple):
    """What the options say."""

    workers: int
    dask: str | None

    @contextmanager
    def executor(self) -> Iterator[Executor | None]:
        """An executor, open while the block lasts; None where the work is done here."""
        if self.dask is not None:
            with _cluster(self.dask) as cluster:
                yield cluster
        elif self.workers > 1:
            with Workers(self.workers) as workers:
                yield workers
        else:
            yield None


def workers_options(function: F) -> F:
    """--workers and --dask; hands `hands`."""
    decorators = [
        click.option(
            "--workers",
            type=click.IntRange(min=1),
            default=1,
            show_default=True,
            help="Processes on this machine that share the work.",
        ),
        click.option("--dask", metavar="ADDRESS", help="Dask scheduler whose workers share it: tcp://HOST:PORT."),
    ]
    return options.bundled("hands", _hands, decorators)(function)


def _hands(workers: int, dask: str | None) -> Hands:
    if dask is not None and workers > 1:
        raise click.UsageError("--workers are processes on this machine, --dask those of a cluster; keep one")
    return Hands(workers, dask)


@contextmanager
def _cluster(address: str) -> Iterator[Executor]:
    """The workers of a cluster, all of this version; raises LatpredError, within ten seconds, where there are none."""
    try:
        import distributed
        from distributed.scheduler import KilledWorker
    except ImportError:
        raise LatpredError("--dask needs Dask: pip install 'latpred[dask]'") from None
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    _check_scheduler(address)
    client, lost = distributed.Client(address, set_as_default=False, timeout=ANSWERS_S), False
    try:
        _check_workers(client, address)
        yield client.get_executor(pure=False)
    except LatpredError:
        raise
    except KilledWorker as error:
        raise LatpredError(f"workers of the cluster at {address} died time and again: {error}") from None
    except Exception:  # Of no one kind either, where the scheduler is gone, or about to go.
        sleep(CLOSES_S)
        lost = not _is_scheduler(address)
        if lost:
            raise LatpredError(f"the Dask scheduler at {address} was lost; start it and this again") from None
        raise
    finally:
        if not lost and client.status == "running":
            client.close(timeout=CLOSES_S)


def _is_scheduler(address: str) -> bool:
    try:
        _check_scheduler(address)
    except LatpredError:
        return False
    return True


def _check_scheduler(address: str) -> None:
    """Raise LatpredError where no scheduler answers."""
    try:
        kind = asyncio.run(_kind(address))
    except Exception as error:  # Of every kind: what else listens at an address answers as it likes.
        reason = str(error).partition("\n")[0] or f"no answer within {ANSWERS_S} s"
        raise LatpredError(
            f"no Dask scheduler answers at {quoted(address)}: {reason}; give the address that `dask scheduler` prints"
        ) from None
    if kind != "Scheduler":
        raise LatpredError(f"{address} is a Dask {kind.lower()}; give the address of the scheduler")


async def _kind(address: str) -> str:
    """What answers at an address: Scheduler, Worker or Nanny."""
    from distributed import rpc

    async with rpc(address) as scheduler:
        return str((await asyncio.wait_for(scheduler.identity(), ANSWERS_S))["type"])


def _check_workers(client: Any, address: str) -> None:
    """Raise LatpredError for a cluster without workers, and for workers that have another latpred or none."""
    try:
        client.wait_for_workers(1, timeout=HAS_WORKERS_S)
        versions = set(client.run(_version).values())
    except TimeoutError:
        raise LatpredError(f"the Dask scheduler at {address} has no workers; start some: `dask worker`") from None
    except ModuleNotFoundError as error:
        raise LatpredError(f"the workers at {address} lack {error.name}; install latpred there") from None
    if versions != {__version__}:
        others = ", ".join(sorted(versions - {__version__}))
        raise LatpredError(f"workers at {address} have latpred {others}, and this is {__version__}")


def _version() -> str:
    return __version__
