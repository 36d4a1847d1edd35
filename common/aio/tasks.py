"""Ordered task groups, and supervision of long-lived tasks.

`asyncio.TaskGroup` and `asyncio.wait` cancel in the order of a set, which differs from run to run; a simulation that
must replay exactly needs one order. Here children are cancelled in the reverse order of their start, each awaited
before the next. No other module makes tasks.

`supervise` is the one place that catches everything: a task of ours that dies of a bug is logged with its traceback
and started again after a back-off, or ends its group, as its owner chose.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any, TypeVar

from common.errors import NotNow

log = logging.getLogger(__name__)
T = TypeVar("T")

RESTART_FIRST_S = 0.1
RESTART_MAX_S = 10.0


class TaskGroup:
    """`async with TaskGroup() as group`: leaving the block waits for all children; an error of one cancels the rest
    (last started first) and is raised from the block. An error in the block cancels all children. Children that ended are forgotten."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._failed: BaseException | None = None
        self._owner: asyncio.Task[Any] | None = None
        self._closing = False
        self._idle = asyncio.Event()
        self._interrupting = False

    async def __aenter__(self) -> TaskGroup:
        self._owner = asyncio.current_task()
        return self

    def start(self, coroutine: Coroutine[Any, Any, T], *, name: str | None = None) -> asyncio.Task[T]:
        """Run `coroutine` as a child. A group that is closing refuses with RuntimeError (and closes the coroutine)."""
        if self._closing:
            coroutine.close()
            raise RuntimeError("the task group is closing")
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._tasks[task] = None
        self._idle.clear()
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        if not self._tasks:
            self._idle.set()
        if task.cancelled():
            return
        error = task.exception()
        if error is None or self._failed is not None:
            return
        self._failed = error
        if not self._closing and self._owner is not None and not self._owner.done():
            self._interrupting = True
            self._owner.cancel()

    async def _cancel_all(self) -> None:
        self._closing = True
        while self._tasks:
            task = next(reversed(self._tasks))
            task.cancel()
            await settle(task)
            self._tasks.pop(task, None)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None:
            try:
                while self._tasks:
                    self._idle.clear()
                    await self._idle.wait()
            except asyncio.CancelledError as cancelled:
                error = cancelled
        await self._cancel_all()
        if self._failed is not None and (error is None or isinstance(error, asyncio.CancelledError)):
            if self._interrupting and self._owner is not None:
                self._owner.uncancel()
            raise self._failed
        if error is not None and kind is None:
            raise error
        return False


async def settle(task: asyncio.Task[Any]) -> None:
    """Wait until `task` has ended, however it ends. A cancellation of the caller is kept for after that."""
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def wake(_: object, waiter: asyncio.Future[None] = waiter) -> None:
            if not waiter.done():
                waiter.set_result(None)

        task.add_done_callback(wake)
        try:
            await waiter
        except asyncio.CancelledError as error:
            cancelled = error
        finally:
            task.remove_done_callback(wake)
    if cancelled is not None:
        raise cancelled


async def gather(*coroutines: Coroutine[Any, Any, T]) -> list[T]:
    """All at once; results in order; the first error cancels the rest, in order."""
    async with TaskGroup() as group:
        tasks = [group.start(coroutine) for coroutine in coroutines]
    return [task.result() for task in tasks]


async def first(one: Coroutine[Any, Any, T], *others: Coroutine[Any, Any, T]) -> T:
    """The result of whichever ends first, or its error; the rest is cancelled, in order."""
    ended = asyncio.Event()

    async def run(coroutine: Coroutine[Any, Any, T]) -> T:
        try:
            return await coroutine
        finally:
            ended.set()

    async with TaskGroup() as group:
        started = [group.start(run(each)) for each in (one, *others)]
        await ended.wait()
        done = next(task for task in started if task.done())
        for task in reversed(started):
            task.cancel()
    return done.result()


async def supervise(
    name: str, run: Callable[[], Awaitable[None]], *, restart: bool = True, log_not_now: bool = True
) -> None:
    """Run `run` until it returns. What it raises is logged, and it is run again after a back-off (0.1 s doubling to
    10 s, back to the start after a run of over a minute); with restart=False the error is raised after logging.
    """
    loop = asyncio.get_running_loop()
    delay_s = RESTART_FIRST_S
    while True:
        began = loop.time()
        try:
            await run()
            return
        except NotNow as error:
            if log_not_now:
                log.warning("task-interrupted task=%s why=%s", name, error)
            if not restart:
                raise
        except Exception:
            log.exception("task-died task=%s restart=%s", name, restart)
            if not restart:
                raise
        if loop.time() - began > 60:
            delay_s = RESTART_FIRST_S
        await asyncio.sleep(delay_s)
        delay_s = min(delay_s * 2, RESTART_MAX_S)
