"""The same function of many arguments: here, or on an executor, with the same answers in the same order."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import suppress
from logging import getLogger
from multiprocessing import Pipe, get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from queue import Empty, SimpleQueue
from threading import Thread
from traceback import format_exc
from types import TracebackType
from typing import Any, NamedTuple, TypeAlias, TypeVar

from latpred.errors import InputError, LatpredError
from latpred.records import whole_number
from latpred.wording import quoted

A = TypeVar("A")
Part: TypeAlias = Sequence[tuple[Any, ...]]
#: Called with how many are done, and how many there are.
Progress: TypeAlias = Callable[[int, int], None]
#: Most parts that arguments are cut into: enough that no worker is idle at the end, few enough to cost nothing.
MOST_PARTS = 64
#: What is lost with a worker is asked again of the executor; so often lost, it is done here.
MOST_LOSSES = 3
#: More processes only get into one another's way.
MOST_WORKERS = 4 * (os.cpu_count() or 1)


def answers(
    function: Callable[..., A], arguments: Part, *, executor: Executor | None = None, progress: Progress | None = None
) -> list[A]:
    """What a function answers to each of some arguments, in their order; of several errors the first is raised.

    An executor gets neighbours together, which have most in common. What it loses with a worker it is asked again, and
    what it cannot answer any more is done here.

    Raises
    ------
    InputError
        An executor that is none; and any error of the function.
    """
    say, total = progress or (lambda done, total: None), len(arguments)
    if executor is not None and not isinstance(executor, Executor):
        raise InputError(f"an executor is a concurrent.futures.Executor, not {quoted(executor)}")
    if not callable(say):
        raise InputError(f"progress is a function of how many are done and how many there are, not {quoted(progress)}")
    size = -(-total // MOST_PARTS) if executor else 1
    waiting = {start: arguments[start : start + size] for start in range(0, total, size or 1)}
    found: dict[int, list[A]] = {}
    say(0, total)
    for attempt in range(MOST_LOSSES if executor else 0):
        for start, answer in _asked(executor, function, waiting):
            found[start] = answer
            say(min(len(found) * size, total), total)
        waiting = {start: part for start, part in waiting.items() if start not in found}
        if waiting and attempt == 0:
            getLogger("latpred").warning("a worker was lost: what it was asked is asked again")
    for start, part in waiting.items():
        found[start] = _answered(function, part)
        say(min(len(found) * size, total), total)
    return [answer for start in sorted(found) for answer in found[start]]


def _asked(executor: Any, function: Callable[..., A], parts: Mapping[int, Part]) -> Iterator[tuple[int, list[A]]]:
    """What an executor answers to parts, in order; parts of lost workers are left out."""
    futures: dict[int, Future[list[A]]] = {}
    try:
        for start, part in parts.items():
            futures[start] = executor.submit(_answered, function, part)
        for start, future in futures.items():
            try:
                answer = future.result()
            except BrokenExecutor:
                continue
            yield start, answer
    except BrokenExecutor:
        # It takes nothing any more, and answers nothing of what it took.
        return
    finally:
        for future in futures.values():
            future.cancel()


def _answered(function: Callable[..., A], part: Part) -> list[A]:
    return [function(*given) for given in part]


class Workers(Executor):
    """Processes on this machine, started anew whatever the system's own way is; where one dies, another follows.

    They end with the block that they are used in, at once where it ends in an error, and with this process.
    """

    def __init__(self, workers: int) -> None:
        """Starts them; raises InputError for a number below 1."""
        count = whole_number(workers, "workers", 1, MOST_WORKERS)
        self._asked: SimpleQueue[_Question | None] = SimpleQueue()
        self._processes: dict[int, BaseProcess] = {}
        self._stopped = False
        self._threads = [Thread(target=self._serve, args=(number,), daemon=True) for number in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, function: Callable[..., A], /, *args: Any, **kwargs: Any) -> Future[A]:
        """Ask the next worker that is free. The answer is a BrokenExecutor where that dies."""
        if self._stopped:
            raise RuntimeError("these workers are stopped")
        future: Future[A] = Future()
        self._asked.put(_Question(future, (function, args, kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Ends the workers when they have answered; with `cancel_futures` now, whatever they are at."""
        self._stopped = True
        if cancel_futures:
            with suppress(Empty):
                while question := self._asked.get_nowait():
                    question.future.cancel()
            for process in list(self._processes.values()):
                process.terminate()
        for _ in self._threads:
            self._asked.put(None)
        for thread in self._threads if wait else ():
            thread.join()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Waits for the workers, after an error only until they are stopped."""
        self.shutdown(cancel_futures=kind is not None)

    def _serve(self, number: int) -> None:
        """Passes questions to one worker, and its answers back."""
        if hasattr(signal, "pthread_sigmask"):
            # What is started here is deaf to a terminal's Ctrl-C, which the main thread answers for all; the tracker,
            # started with the first process, would have the thread hear it again.
            resource_tracker.ensure_running()
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        here = self._start(number)
        while question := self._asked.get():
            if not question.future.set_running_or_notify_cancel():
                continue
            try:
                here.send(question.of)
                answer, error, trace = here.recv()
            except (EOFError, OSError):
                question.future.set_exception(BrokenExecutor("a worker died"))
                here.close()
                if not self._stopped:
                    here = self._start(number)
                continue
            except Exception as problem:  # What cannot be sent is the question's fault.
                question.future.set_exception(problem)
                continue
            if error:
                error.__cause__ = None if isinstance(error, LatpredError) else RuntimeError(f"in a worker:\n{trace}")
                question.future.set_exception(error)
            else:
                question.future.set_result(answer)
        here.close()
        self._processes[number].join()

    def _start(self, number: int) -> Connection:
        """A process, and this end of its pipe; the other is the process's alone, so that its death is heard."""
        here, there = Pipe()
        process = get_context("spawn").Process(target=_work, args=(there,), daemon=True)
        process.start()
        there.close()
        self._processes[number] = process
        return here


class _Question(NamedTuple):
    """What is asked of a worker, and where its answer goes."""

    future: Future[Any]
    of: tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


def _work(asker: Connection) -> None:
    """Answers questions until the other end of the pipe is closed, or gone with its process."""
    with suppress(EOFError, OSError):
        while True:
            function, args, kwargs = asker.recv()
            answer: tuple[Any, Exception | None, str]
            try:
                answer = function(*args, **kwargs), None, ""
            except Exception as error:
                answer = None, error, format_exc()
            asker.send(answer)
