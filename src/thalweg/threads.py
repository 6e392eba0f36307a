"""A few threads that run single-threaded operations side by side.

A pass is made of many operations of some microseconds; splitting each of them over the cores costs more than it gives.
Here each core takes whole blocks, and the libraries below (torch, and the BLAS that NumPy uses) are held to one thread
each meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits

MOST = 8


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
