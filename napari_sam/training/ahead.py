"""Drawing samples ahead of time, in threads beside the training."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["drawn_ahead"]

T = TypeVar("T")


def drawn_ahead(draw: Callable[[int], T], first: int, n_ahead: int) -> Generator[T]:
    """Give ``draw(first)``, ``draw(first + 1)`` … in order, without end.

    Parameters
    ----------
    draw : callable
        Draws the sample of a number; called from several threads.
    first : int
        Number of the first sample.
    n_ahead : int
        Samples that are under way beyond the one asked for.
    """
    pool = ThreadPoolExecutor(max(1, min(4, (os.cpu_count() or 1) // 2)), thread_name_prefix="pairs")
    waiting: deque[Future[T]] = deque()
    try:
        number = first
        while True:
            while len(waiting) <= n_ahead:
                waiting.append(pool.submit(draw, number))
                number += 1
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
