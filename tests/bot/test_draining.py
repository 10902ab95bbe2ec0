"""Work after the answer: bounded, deferential, and finished before the process ends."""

from __future__ import annotations

import asyncio

import pytest

from bot.draining import DrainedTasks


async def test_all_that_was_begun_is_waited_for() -> None:
    tasks, done = DrainedTasks(at_once=2), 0

    async def work() -> None:
        nonlocal done
        await asyncio.sleep(0.01)
        done += 1

    for number in range(10):
        assert tasks.start(work, f"work {number}")
    await tasks.drain(5)
    assert done == 10
    assert not tasks.start(work, "too late")


async def test_no_more_than_so_many_at_once_and_no_more_than_so_many_waiting() -> None:
    tasks, running, most, go = DrainedTasks(at_once=3, most_waiting=5), 0, 0, asyncio.Event()

    async def work() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await go.wait()
        running -= 1

    taken = [tasks.start(work, "work") for _ in range(8)]
    await asyncio.sleep(0.01)
    go.set()
    await tasks.drain(5)
    assert taken == [True] * 5 + [False] * 3
    assert most == 3


async def test_what_breaks_is_logged_and_breaks_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    tasks, done = DrainedTasks(at_once=1), asyncio.Event()

    async def bad() -> None:
        raise RuntimeError("this one broke")

    async def good() -> None:
        done.set()

    tasks.start(bad, "bad")
    tasks.start(good, "good")
    await tasks.drain(5)
    assert done.is_set()
    assert "this one broke" in caplog.text


async def test_what_waited_too_long_is_left_to_the_sweeper() -> None:
    tasks, begun = DrainedTasks(at_once=1, patience_seconds=0.02), 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        await asyncio.sleep(0.05)

    tasks.start(work, "first")
    tasks.start(work, "second")
    await tasks.drain(5)
    assert begun == 1


async def test_what_is_not_done_in_time_is_cut_off() -> None:
    tasks, cut = DrainedTasks(), False

    async def work() -> None:
        nonlocal cut
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cut = True
            raise

    tasks.start(work, "long")
    await asyncio.sleep(0.01)
    await tasks.drain(0.02)
    assert cut


async def test_answers_come_first_but_not_for_ever() -> None:
    tasks, begun = DrainedTasks(deference_seconds=0.1), asyncio.Event()

    async def work() -> None:
        begun.set()

    with tasks.held_back():
        tasks.start(work, "work")
        await asyncio.sleep(0.02)
        assert not begun.is_set()
        await asyncio.wait_for(begun.wait(), 30)
    await tasks.drain(5)
