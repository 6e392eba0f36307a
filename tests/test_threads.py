"""Whoever holds the libraries to one thread, and in whatever order they let go, the program gets its threads back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import torch
from threadpoolctl import threadpool_info

import thalweg as tw
from thalweg.threads import one_thread, threads


def blas() -> list[int]:
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def test_nested_and_overlapping_holders_give_back_what_was_allowed():
    torch.set_num_threads(2)
    before = blas()
    with one_thread():
        assert torch.get_num_threads() == 1
        assert set(blas()) <= {1}
        with threads() as (_, count):
            assert count == 2
        with one_thread():
            pass
    assert torch.get_num_threads() == 2
    assert blas() == before
    torch.set_num_threads(1)


def test_holders_in_several_threads_that_end_in_any_order():
    torch.set_num_threads(2)
    both = Barrier(2)

    def hold(first: bool) -> None:
        if first:
            with one_thread():
                both.wait()  # the other has entered
                both.wait()
        else:
            with one_thread():
                both.wait()
            both.wait()  # left before the first

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(hold, [True, False]))
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)


def test_fits_at_once_agree_and_leave_the_threads_alone():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(300, 3))
    data = [{"X": x, "y": x @ [1.0, 0.5, -0.5] + rng.normal(size=300)} for _ in range(6)]
    torch.set_num_threads(2)
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda each: tw.fit("y ~ X", each).theta, data))
    for each, theta in zip(data, together, strict=True):
        assert torch.equal(theta, tw.fit("y ~ X", each).theta)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
