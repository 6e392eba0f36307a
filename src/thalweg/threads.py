"""A few threads that run single-threaded operations side by side.

A pass is made of many operations of some microseconds; splitting each of them over the cores costs more than it gives.
Here each core takes whole blocks, and the libraries below (torch, and the BLAS that NumPy uses) are held to one thread
each meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from typing import TypeVar

import torch
from threadpoolctl import ThreadpoolController, threadpool_limits

MOST = 8
AHEAD = 8  # items per thread that are taken from an iterator at a time

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def threads() -> Iterator[tuple[ThreadPoolExecutor, int]]:
    """A pool with one thread for each that torch may use (at most 8), and their number."""
    allowed = torch.get_num_threads()
    count = min(allowed, MOST)
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(count) as pool:
            yield pool, count
    finally:
        torch.set_num_threads(allowed)


def side_by_side(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """work(item) for each item, on several threads, in the items' order.

    Examples
    --------
    >>> list(side_by_side(abs, [-1, 2, -3]))
    [1, 2, 3]
    """
    source = iter(items)
    with threads() as (pool, count):
        while taken := list(islice(source, AHEAD * count)):
            yield from pool.map(work, taken)


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for torch and BLAS: operations of microseconds wait longer for each other than they take."""
    allowed = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with _blas().limit(limits=1):
            yield
    finally:
        torch.set_num_threads(allowed)


@lru_cache(maxsize=1)
def _blas() -> ThreadpoolController:
    """The BLAS libraries that NumPy and SciPy have loaded; to look for them takes milliseconds."""
    return ThreadpoolController().select(user_api="blas")
