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
from threading import Lock
from typing import Any, TypeVar, final

import torch
from threadpoolctl import ThreadpoolController

MOST = 8
AHEAD = 8  # items per thread that are taken from an iterator at a time

Item = TypeVar("Item")
Result = TypeVar("Result")


@final
class _Single:
    """Holds torch and BLAS to one thread while anybody wants it, and gives back what was allowed before the first did.

    Fits may run in several threads of a program at once: without the count, one that ends would give back the single
    thread that it found while another was at work.
    """

    def __init__(self) -> None:
        self._lock, self._holders, self.allowed = Lock(), 0, 1
        self._blas: Any = None

    def __enter__(self) -> int:
        """The number of threads that torch was allowed."""
        with self._lock:
            if self._holders == 0:
                self.allowed = torch.get_num_threads()
                self._blas = _blas().limit(limits=1)
            self._holders += 1
        torch.set_num_threads(1)
        return self.allowed

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._holders -= 1
            if self._holders == 0:
                self._blas.restore_original_limits()
            torch.set_num_threads(self.allowed)  # each Python thread has a number of its own


_SINGLE = _Single()


@contextmanager
def threads() -> Iterator[tuple[ThreadPoolExecutor, int]]:
    """A pool with one thread for each that torch may use (at most 8), and their number."""
    with _SINGLE as allowed:
        count = min(allowed, MOST)
        with ThreadPoolExecutor(count) as pool:
            yield pool, count


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
    with _SINGLE:
        yield


@lru_cache(maxsize=1)
def _blas() -> ThreadpoolController:
    """The BLAS libraries that NumPy and SciPy have loaded; to look for them takes milliseconds."""
    return ThreadpoolController().select(user_api="blas")
