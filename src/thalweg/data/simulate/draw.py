"""simulate(): data with a known truth, from a seed."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from thalweg.data.simulate.base import Draws, Kind, Made, Simulated
from thalweg.data.simulate.checks import at_least_zero, nearest, shape_options, whole
from thalweg.data.simulate.clouds import CLOUDS
from thalweg.data.simulate.curves import CURVES
from thalweg.data.simulate.pictures import PICTURES
from thalweg.errors import OptionError

KINDS = {kind.name: kind for kind in (*CURVES, CLOUDS, PICTURES)}
FAR = (8.0, 4.0)  # an outlier is moved by 8 to 12 ordinary deviations


def simulate(
    kind: str,
    n: int | None = None,
    *,
    seed: int = 0,
    noise: float | None = None,
    outliers: int = 0,
    **shape: Any,
) -> Simulated:
    """Data with a known truth.

    Everything is drawn from one `torch.Generator` of the seed; no global seed is read or set. The draws are float32, in
    this order: x (n uniform numbers; none where it is evenly spaced), noise (n normal numbers; none where noise is 0),
    outliers. So a program that begins with `torch.manual_seed(10)`, `torch.rand(8) * 20` and `torch.randn(8)` has the
    data of ``simulate("line", n=8, seed=10, low=0, high=20, ...)``. What is computed from the draws is float64.

    ==========  =============================================================  ======================================
    kind        columns                                                        options and their defaults
    ==========  =============================================================  ======================================
    line        x, y = intercept + slope x + noise                             slope 1, intercept 0, low 0, high 10
    polynomial  x, y = a + b x + c x^2 + ... + noise                           coefficients (0, 0, 1), low -3, high 3
    sine        x, y = intercept + amplitude sin(frequency x + phase) + noise  0, 1, 1, 0; low -pi, high pi
    expression  x, y = any expression of x + noise                             expression, low 0, high 10
    clouds      x1, x2, label: n points labelled 0, then n labelled 1          centers ((2, 2), (-2, -2)), spread 1
    pictures    x, y = w x + b + noise, a weight for each pixel                height 32, width 32
    ==========  =============================================================  ======================================

    Parameters
    ----------
    kind : str
        One of these, or the expression itself: ``simulate("exp(-x) * sin(3*x)")``.
    n : int, default 100
        Rows; of clouds, points in each; pictures have a height and a width instead.
    seed : int
        In [0, 2^63).
    noise : float
        Standard deviation of the normal noise, >= 0: 1 by default for a line and a polynomial, 0.1 for a sine and an
        expression, 0 for pictures. Clouds have a spread instead.
    outliers : int
        So many rows (pixels of y, row by row), chosen at random, are moved by 8 to 12 times the noise (where there is
        none: the standard deviation of y), up or down; points of clouds so many spreads, in x1 and in x2. Their
        numbers are in `Simulated.outliers`.
    **shape :
        The options of the kind. Curves also have ``spacing="even"``: x evenly spaced, both ends included.

    Returns
    -------
    Simulated
        A mapping of names to float64 NumPy arrays that also knows the `truth`, and says it in words: `about`.

    Raises
    ------
    OptionError
        A kind, an option or a value that does not exist; an expression that is no finite number somewhere.
    FormulaError
        An expression outside the list of `docs/formulas.md`: no text is ever run.

    Examples
    --------
    >>> import thalweg as tw
    >>> data = tw.simulate("line", n=8, seed=10, slope=2, intercept=3, noise=3, low=0, high=20)
    >>> data["x"].round(4).tolist()
    [9.1617, 9.6571, 6.25, 12.3004, 4.2789, 8.2365, 13.8759, 19.3862]
    >>> {name: round(value, 4) for name, value in tw.fit("y ~ x", data).coefficients.items()}
    {'Intercept': 3.47, 'x': 1.8708}
    >>> tw.simulate("expression", n=3, expression="x**2 / 2", low=0, high=2, spacing="even", noise=0)["y"].tolist()
    [0.0, 0.5, 2.0]
    """
    if isinstance(kind, str) and kind not in KINDS and re.search(r"\bx\b", kind):
        kind, shape = "expression", {"expression": kind, **shape}
    found = kind_named(kind)
    options = shape_options(found.name, found.shape, shape)
    rows, sigma = _rows(found, n), _noise(found, noise)
    generator = torch.Generator().manual_seed(whole("seed", seed, 0, 2**63 - 1))
    draws = Draws(generator)
    made = _with_outliers(draws, found.make(draws, rows, sigma, options), outliers)
    columns = {name: np.ascontiguousarray(values.numpy()) for name, values in made.columns.items()}
    return Simulated(columns, found.name, made, _about(made, rows, seed), generator)


def kind_named(name: str) -> Kind:
    """A kind by its name.

    Raises
    ------
    OptionError
        There is none; the nearest is named.
    """
    if name not in KINDS:
        raise OptionError(f"there is no kind {name!r} of simulated data", advice=nearest(str(name), KINDS))
    return KINDS[name]


def _rows(kind: Kind, n: int | None) -> int:
    if kind.n is None and n is not None:
        raise OptionError(f"{kind.name} have no n", advice="Give a height and a width.")
    return whole("n", n) if n is not None else kind.n or 0


def _noise(kind: Kind, noise: float | None) -> float:
    if kind.noise is None and noise is not None:
        raise OptionError(f"{kind.name} have no noise", advice="Give a spread: the standard deviation of each cloud.")
    return at_least_zero("noise", noise) if noise is not None else kind.noise or 0.0


def _with_outliers(draws: Draws, made: Made, count: int) -> Made:
    """Some rows moved far, in a direction of their own for each column."""
    entries = made.columns[made.moved[0]].numel()
    count = whole("outliers", count, 0, entries)
    if not count:
        return made
    chosen = draws.rows(count, entries)
    columns = dict(made.columns)
    for name in made.moved:
        least, span = FAR
        shift = made.scale * (least + span * draws.uniform(count))
        sign = torch.where(draws.uniform(count) < 0.5, -1.0, 1.0)
        values = columns[name].clone()
        values.view(-1)[chosen] += sign * shift
        columns[name] = values
    return replace(made, columns=columns, outliers=tuple(chosen))


def _about(made: Made, rows: int, seed: int) -> str:
    """The truth in one or two sentences."""
    size = f"{rows} row{'s' * (rows != 1)}, " if rows else ""
    size = size if "label" not in made.columns else f"{2 * rows} rows, "
    about = f"{size}{made.words}, seed {seed}."
    if made.outliers:
        which = ", ".join(map(str, made.outliers[:20])) + (", ..." if len(made.outliers) > 20 else "")
        about += f" Outliers, counted from row 0: {which}."
    return about
