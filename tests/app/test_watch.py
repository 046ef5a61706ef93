"""Watching: waiters hear of news soon, together, and not too often."""

from __future__ import annotations

import asyncio
import threading

from deploytrail.app.watch import PAUSE, Watch


def test_what_is_there_already_is_told_at_once() -> None:
    async def story() -> int:
        return await Watch(7).wait(3, timeout=60)

    assert asyncio.run(story()) == 7


def test_without_news_the_wait_ends_with_the_old_size() -> None:
    async def story() -> int:
        return await Watch(7).wait(7, timeout=0.01)

    assert asyncio.run(story()) == 7


def test_news_from_a_thread_wake_every_waiter() -> None:
    async def story() -> list[int]:
        watch = Watch()
        waiters = [asyncio.create_task(watch.wait(0, timeout=60)) for _ in range(50)]
        await asyncio.sleep(0)
        threading.Thread(target=watch.advanced, args=(3,)).start()
        return await asyncio.gather(*waiters)

    assert asyncio.run(story()) == [3] * 50


def test_a_waiter_for_something_later_waits_on() -> None:
    async def story() -> int:
        watch = Watch()
        waiter = asyncio.create_task(watch.wait(9, timeout=60))
        for size in (3, 9, 10):
            await asyncio.sleep(0)
            watch.advanced(size)
        return await waiter

    assert asyncio.run(story()) == 10


def test_many_advances_are_few_ticks() -> None:
    async def story() -> tuple[list[int], float]:
        watch, loop = Watch(), asyncio.get_running_loop()
        sizes, seen = [], 0
        done = threading.Event()

        def advance() -> None:
            for size in range(1, 2001):
                watch.advanced(size)
            done.set()

        began = loop.time()
        threading.Thread(target=advance).start()
        while seen < 2000:
            seen = await watch.wait(seen, timeout=60)
            sizes.append(seen)
        return sizes, loop.time() - began

    sizes, took = asyncio.run(story())
    assert sizes == sorted(set(sizes))
    # The first tick comes at once, every further one a pause after the one before.
    assert len(sizes) <= 2 + took / PAUSE


def test_a_waiter_that_gives_up_takes_nothing_from_the_others() -> None:
    async def story() -> int:
        watch = Watch()
        stays = asyncio.create_task(watch.wait(0, timeout=60))
        leaves = asyncio.create_task(watch.wait(0, timeout=60))
        await asyncio.sleep(0)
        leaves.cancel()
        await asyncio.sleep(0)
        watch.advanced(1)
        return await stays

    assert asyncio.run(story()) == 1


def test_loops_come_and_go() -> None:
    watch = Watch()

    async def story(size: int) -> int:
        waiter = asyncio.create_task(watch.wait(size - 1, timeout=60))
        await asyncio.sleep(0)
        watch.advanced(size)
        return await waiter

    # Each run closes its loop; the next advance finds it closed and forgets it.
    assert [asyncio.run(story(size)) for size in (1, 2, 3)] == [1, 2, 3]
    watch.advanced(4)
    watch.advanced(5)
    assert asyncio.run(story(6)) == 6
    assert len(watch._loops) == 1
