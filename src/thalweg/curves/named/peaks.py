"""Peaks: Gaussian, Lorentzian, Voigt. In all of them a is the height, so that one can take another's place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from thalweg.curves.named.base import NamedCurve, Parameters
from thalweg.curves.named.grids import centres, crossed, quantiles
from thalweg.curves.named.rows import Rows
from thalweg.curves.named.starts import Shape, forms

CENTRE, WIDTH, MIXING = 0.05, 0.5, 1.0  # steps: in ranges, and in e-folds
NARROW = 0.04  # half widths (in ranges) from which a peak between two of the centres would be missed
PLACES = 50  # centres of narrow peaks where the rows are, ...
EXTREMES = 10  # ... and where y is farthest from a line, smoothed over 1, 3 and 9 rows
MIXINGS = np.array([-1.5, 0.0, 1.5])  # log(g / s) of a Voigt peak
ROOT_LOG_4 = 1.1774100225154747  # half width of a Gaussian of s = 1

Profile = Callable[["Float[ndarray, 'm n']"], "Float[ndarray, 'm n']"]


def _gaussian(u: Float[ndarray, "m n"]) -> Float[ndarray, "m n"]:
    """Of half width 1."""
    return np.exp2(-u * u)


def _lorentzian(u: Float[ndarray, "m n"]) -> Float[ndarray, "m n"]:
    """Of half width 1."""
    return 1 / (1 + u * u)


def _extremes(rows: Rows) -> Float[ndarray, "k"]:
    """Where y is highest and lowest over a line."""
    left = (rows.y - (rows.y @ rows.basis.T) @ rows.basis) * rows.root
    places = []
    for width in (1, 3, 9):
        smooth = np.convolve(left, np.ones(width), mode="same")[: left.size]
        order = np.argsort(smooth, kind="stable")
        places.append(np.concatenate([order[:EXTREMES], order[-EXTREMES:]]))
    return np.unique(rows.z[np.minimum(np.concatenate(places), rows.z.size - 1)])


def _grid(rows: Rows) -> Float[ndarray, "m 2"]:
    """Centre and logarithm of the half width: wide peaks about the data, narrow ones where the rows are."""
    widths = np.arange(np.log(rows.gap / 2), np.log(2.0) + WIDTH, WIDTH)
    wide, narrow = widths[np.exp(widths) > NARROW], widths[np.exp(widths) <= NARROW]
    places = np.union1d(quantiles(rows, PLACES), _extremes(rows))
    return np.concatenate([crossed(centres(CENTRE), wide), crossed(places, narrow)])


def _steps(points: Float[ndarray, "m d"]) -> Float[ndarray, "m d"]:
    """A narrow peak is missed by little."""
    centre = np.minimum(CENTRE, 0.5 * np.exp(points[:, 1]))
    others = np.broadcast_to([WIDTH, MIXING][: points.shape[1] - 1], points[:, 1:].shape)
    return np.column_stack([centre, others])


def _scaled(rows: Rows, points: Float[ndarray, "m 2"]) -> Float[ndarray, "m n"]:
    """Distance from the centre in half widths."""
    return (rows.z - points[:, :1]) / np.exp(points[:, 1:2])


def _peak(profile: Profile, parameters: Callable[[float, float, float], Parameters]) -> Shape:
    """The search for a peak with a centre and a half width; parameters: (a, centre, half width) -> the curve's own."""

    def columns(rows: Rows, points: Float[ndarray, "m 2"]) -> Float[ndarray, "m 1 n"]:
        return profile(_scaled(rows, points))[:, None, :]

    def named(rows: Rows, point: Float[ndarray, "2"], linear: Float[ndarray, "1"]) -> Parameters:
        return parameters(float(linear[0]), *_place(rows, point))

    return Shape(_grid, _steps, columns, named, most=1000)


def _place(rows: Rows, point: Float[ndarray, "d"]) -> tuple[float, float]:
    """Centre and half width in the user's units."""
    return rows.low + rows.span * float(point[0]), rows.span * float(np.exp(point[1]))


# ------------------------------------------------------------------------------------------------------------- Voigt


def _voigt_grid(rows: Rows) -> Float[ndarray, "m 3"]:
    peaks = _grid(rows)
    mixing = np.repeat(MIXINGS, len(peaks))
    return np.column_stack([np.tile(peaks, (len(MIXINGS), 1)), mixing])


def _voigt_widths(mixing: Float[ndarray, "m"]) -> tuple[Float[ndarray, "m"], Float[ndarray, "m"]]:
    """s and g of a Voigt peak of half width 1 with g / s = exp(mixing).

    f = 0.5346 g + sqrt(0.2166 g^2 + fG^2), to 0.02%: Olivero & Longbothum (1977), doi:10.1016/0022-4073(77)90161-3.
    """
    ratio = np.exp(mixing)
    s = 1 / (0.5346 * ratio + np.sqrt(0.2166 * ratio**2 + ROOT_LOG_4**2))
    return s, ratio * s


def _voigt_columns(rows: Rows, points: Float[ndarray, "m 3"]) -> Float[ndarray, "m 1 n"]:
    """A Gaussian and a Lorentzian in the proportion that comes nearest to a Voigt peak, to 1% of its height.

    As heights, with the share eta of areas by Thompson, Cox & Hastings (1987), doi:10.1107/S0021889887087090.
    """
    u = _scaled(rows, points)
    part = _voigt_widths(points[:, 2])[1]  # of the half width: Thompson's fL / f
    eta = part * (1.36603 + part * (-0.47719 + part * 0.11116))
    lorentz, gauss = eta / np.pi, (1 - eta) * np.sqrt(np.log(2) / np.pi)
    share = (lorentz / (lorentz + gauss))[:, None]
    return (share * _lorentzian(u) + (1 - share) * _gaussian(u))[:, None, :]


def _voigt(rows: Rows, point: Float[ndarray, "3"], linear: Float[ndarray, "1"]) -> Parameters:
    centre, half = _place(rows, point)
    s, g = _voigt_widths(point[2:])
    return {"a": float(linear[0]), "mu": centre, "s": half * float(s[0]), "g": half * float(g[0])}


PEAKS: tuple[tuple[NamedCurve, ...], ...] = (
    forms(
        "gaussian",
        ("x", "a", "mu", "s"),
        "a * exp(-((x - mu) / s)**2 / 2)",
        _peak(_gaussian, lambda a, centre, half: {"a": a, "mu": centre, "s": half / ROOT_LOG_4}),
        "A peak of height a at mu with the standard deviation s; its area is a s sqrt(2 pi).",
        positive=("s",),
    ),
    forms(
        "lorentzian",
        ("x", "a", "x0", "g"),
        "a / (1 + ((x - x0) / g)**2)",
        _peak(_lorentzian, lambda a, centre, half: {"a": a, "x0": centre, "g": half}),
        "A peak of height a at x0, half as high at x0 - g and x0 + g; its area is pi a g.",
        positive=("g",),
    ),
    forms(
        "voigt",
        ("x", "a", "mu", "s", "g"),
        "a * wofz_real((x - mu) / (s * sqrt(2)), g / (s * sqrt(2))) / wofz_real(0, g / (s * sqrt(2)))",
        Shape(_voigt_grid, _steps, _voigt_columns, _voigt, most=500),
        "A Gaussian of standard deviation s spread by a Lorentzian of half width g, of height a (not area) at mu.",
        positive=("s", "g"),
        reference="Voigt (1912), Sitzungsberichte der Bayerischen Akademie, 603; DLMF 7.19, https://dlmf.nist.gov/7.19",
    ),
)
