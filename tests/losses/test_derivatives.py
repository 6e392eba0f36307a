"""Value, gradient, curvature and Fisher weight of every family with every link.

Four witnesses: 80-digit arithmetic, autograd on the value, central differences, and the formulas through the mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import mpmath as mp
import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from thalweg.losses import Family, family

EPS = torch.finfo(torch.float64).eps
Grid = tuple[Tensor, Tensor]


def roundings(pair: Family, y: Tensor, eta: Tensor) -> list[Tensor]:
    """What one rounding of eta (or of log y) does to value, gradient and curvature: no formula can do better."""
    _, gradient, curvature = (part.abs() for part in pair.terms(y, eta, 2))
    fisher = pair.fisher(y, eta)
    shift = eta.abs() + torch.log(y.abs().clamp(min=1e-9)).abs() + 1
    slope = shift * (fisher + curvature)
    bend = shift * (fisher + curvature + gradient * (1 + 1 / eta.abs().clamp(min=1e-9)))
    return [EPS * (gradient * shift + EPS * slope * shift * 30), EPS * slope, EPS * bend]


def assert_within(got: Tensor, expected: Tensor, allowed: Tensor) -> None:
    excess = ((got - expected).abs() - allowed).nan_to_num(nan=torch.inf)
    worst = int(excess.argmax())
    assert float(excess[worst]) <= 0, (
        f"{got[worst]:.17g} instead of {expected[worst]:.17g}, {allowed[worst]:.1e} allowed"
    )


def test_terms_are_true_to_fourteen_digits(pair: Family, points: Grid, truth: Callable[..., list[Tensor]]) -> None:
    y, eta = points
    exact = truth(pair, y, eta)
    for got, expected, rounding in zip(pair.terms(y, eta, 2), exact, roundings(pair, y, eta), strict=True):
        assert_within(got, expected, 1e-14 * expected.abs() + 10 * rounding)


def test_terms_agree_with_the_formulas_through_the_mean(pair: Family, points: Grid) -> None:
    y, eta = points
    mu = pair.mean(eta)
    scale = 1 + (y / mu).nan_to_num().abs() + (mu / y.clamp(min=1e-3)).abs()
    for expected in (False, True):
        plain = pair.plain_terms(y, eta, 2, expected)
        size = pair.fisher(y, eta) + plain[1].abs() + plain[2].abs()
        for got, twin in zip(pair.terms(y, eta, 2, expected=expected), plain, strict=True):
            assert_within(got, twin, 1e-12 * twin.abs() + 1e-12 * scale * (size + plain[0]))


def test_gradient_and_curvature_are_what_autograd_finds(pair: Family, points: Grid) -> None:
    y, eta = points
    ratio = (pair.mean(eta) / y).nan_to_num(posinf=1.0, neginf=1.0).abs()
    fair = (ratio > 1e-3) & (ratio < 1e3)  # beyond, terms cancel in autograd's formula that ours has not
    y, eta = y[fair], eta[fair].requires_grad_()
    (gradient,) = torch.autograd.grad(pair.value(y, eta).sum(), eta, create_graph=True)
    (curvature,) = torch.autograd.grad(gradient.sum(), eta)
    eta, gradient = eta.detach(), gradient.detach()
    _, by_hand, second = pair.terms(y, eta, 2)
    size = pair.fisher(y, eta) + second.abs() + by_hand.abs() / eta.abs().clamp(min=1e-9)
    if pair.parameters().get("alpha", 1) < 1e-6:
        return  # autograd divides its rounding by alpha
    assert_within(gradient, by_hand, 1e-10 * (by_hand.abs() + size * eta.abs()) + 1e-13 * size)
    assert_within(curvature, second, 1e-8 * size)


def test_gradient_and_curvature_are_limits_of_differences(pair: Family, points: Grid) -> None:
    y, eta = points
    mu, step = pair.mean(eta), 1e-5 * (eta.abs() if pair.link.exponent else eta.abs().clamp(min=1))
    ratio = (mu / y).nan_to_num(posinf=10.0)
    # where rounding and the third derivative are far below
    clear = (ratio.abs() > 0.01) & (ratio.abs() < 100) & ((ratio - 1).abs() > 0.01) & ((1 - mu).abs() > 0.05)
    if (inside := pair.inside(torch.stack([eta - step, eta + step]))) is not None:
        clear &= inside.all(0)
    y, eta, step = y[clear], eta[clear], step[clear]
    low, high = eta - step, eta + step
    below, above = pair.terms(y, low, 1), pair.terms(y, high, 1)
    value, gradient, curvature = pair.terms(y, eta, 2)
    size = (pair.fisher(y, eta) + curvature.abs()) * step + gradient.abs()
    assert_within((above[0] - below[0]) / (high - low), gradient, 1e-5 * size + 1e-13 * value / step)
    assert_within((above[1] - below[1]) / (high - low), curvature, 1e-8 * size / step)


def test_a_canonical_link_has_one_curvature_and_others_have_two(pair: Family, points: Grid) -> None:
    y, eta = points
    observed, expected = pair.curvature(y, eta), pair.fisher(y, eta)
    assert torch.equal(observed, expected) == pair.canonical


@pytest.mark.parametrize("power", [1.1, 1.3, 1.6, 1.7, 2.3, 2.9])  # not numbers in binary
def test_a_canonical_power_has_one_curvature_to_the_last_bit(power: float) -> None:
    one = family("tweedie", "power", power=power, exponent=1 - power)
    y, eta = (torch.linspace(0.1, 7, 50, dtype=torch.float64) for _ in range(2))
    assert one.canonical
    assert torch.equal(one.curvature(y, eta.flip(0)), one.fisher(y, eta.flip(0)))


def test_fewer_orders_give_the_same_numbers(pair: Family, points: Grid) -> None:
    y, eta = points
    whole = pair.terms(y, eta, 2)
    for order in (0, 1):
        part = pair.terms(y, eta, order)
        assert len(part) == order + 1
        assert all(torch.equal(a, b) for a, b in zip(part, whole, strict=False))
    single = [pair.value(y, eta), pair.gradient(y, eta), pair.curvature(y, eta)]
    assert all(torch.equal(a, b) for a, b in zip(single, whole, strict=True))


def test_terms_change_nothing_that_they_are_given(pair: Family, points: Grid) -> None:
    y, eta = points
    kept = y.clone(), eta.clone()
    parts = pair.terms(y, eta, 2)
    assert torch.equal(y, kept[0])
    assert torch.equal(eta, kept[1])
    again = pair.terms(y, eta, 2)
    for part in parts:
        part.zero_()  # what was returned belongs to the caller: no two share memory, none is the input
    assert torch.equal(eta, kept[1])
    assert torch.equal(y, kept[0])
    assert all(torch.equal(a, b) for a, b in zip(pair.terms(y, eta, 2), again, strict=True))


def test_terms_stay_on_their_device_and_never_wait_for_it(pair: Family) -> None:
    y, eta = (torch.ones(5, dtype=torch.float32, device="meta") for _ in range(2))  # has no values: asking one raises
    for expected in (False, True):
        for part in pair.terms(y, eta, 2, expected=expected):
            assert (part.device.type, part.dtype, part.shape) == ("meta", torch.float32, (5,))
    for part in (pair.mean(eta), pair.link.link(eta), pair.variance(eta), pair.unit_deviance(y, eta)):
        assert (part.device.type, part.dtype) == ("meta", torch.float32)
    assert pair.violations(y).device.type == "meta"
    assert pair.starting_mean(y, eta).device.type == "meta"


def test_float32_is_float64_rounded(pair: Family, points: Grid) -> None:
    y, eta = (part.float() for part in points)
    moderate = (eta.abs() < 60) & (eta.abs() > 1e-2) & (y.abs() < 100)
    if (inside := pair.inside(eta)) is not None:
        moderate &= inside
    y, eta = y[moderate], eta[moderate]
    narrow, wide = pair.terms(y, eta, 2), pair.terms(y.double(), eta.double(), 2)
    ratio = 2.0**29  # float32's rounding in units of float64's
    for got, expected, rounding in zip(narrow, wide, roundings(pair, y.double(), eta.double()), strict=True):
        assert got.dtype == torch.float32
        room = 1e-38 + EPS**2 * ratio**2 * 100 * (wide[2].abs() + wide[1].abs()) * (1 + eta.abs()) ** 2
        assert_within(got.double(), expected, 5e-6 * expected.abs() + 20 * ratio * rounding + room)


def test_outside_the_domain_of_eta_the_value_is_infinite(pair: Family) -> None:
    low, high = pair._interval
    outside = [e for edge, e in ((low, low - 0.5), (high, high + 0.5)) if math.isfinite(edge)]
    eta = torch.tensor([*outside, *(edge for edge in (low, high) if math.isfinite(edge))], dtype=torch.float64)
    assert torch.isinf(pair.value(torch.full_like(eta, 0.75), eta)).all()
    assert pair.inside(eta) is None or not pair.inside(eta).any()
    everywhere = torch.linspace(-30, 30, 8, dtype=torch.float64)
    if pair.inside(everywhere) is None:
        assert torch.isfinite(pair.value(torch.full_like(everywhere, 0.75), everywhere)).all()


def test_a_start_is_feasible(pair: Family, points: Grid) -> None:
    y = points[0].unique()
    mu = pair.starting_mean(y)
    eta = pair.link.link(mu)
    assert torch.isfinite(eta).all()
    inside = pair.inside(eta)
    assert inside is None or inside.all()
    assert torch.isfinite(pair.value(y, eta)).all()


def test_links_are_inverted_and_differentiated(pair: Family, points: Grid, exact_mean: Callable[..., mp.mpf]) -> None:
    eta = points[1].unique()
    mu = pair.link.inverse(eta)
    good = (mu != 1) & (eta.abs() < 1e3)
    eta = eta[good]
    back = pair.link.link(pair.link.inverse(eta))
    torch.testing.assert_close(back, eta, rtol=1e-9, atol=1e-9)
    with mp.workdps(60):
        for e in eta.tolist()[::3]:
            first, second = (mp.diff(lambda at: exact_mean(pair.link, at), e, k) for k in (1, 2))
            at = torch.tensor([e], dtype=torch.float64)
            assert float(pair.link.derivative(at)) == pytest.approx(float(first), rel=1e-13 * (10 + abs(e)))
            slack = 1e-14 * abs(float(first)) * (1 + 1 / abs(e) if e else 1)
            assert float(pair.link.second_derivative(at)) == pytest.approx(float(second), rel=1e-12, abs=slack)


TAILS = torch.tensor(
    [-1e3, -700.0, -100.0, -37.5, -20.0, -9.0, 9.0, 20.0, 37.5, 100.0, 700.0, 1e3], dtype=torch.float64
)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog", "loglog", "cauchit"])
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_probabilities_keep_their_digits_in_both_tails(
    link: str, label: float, truth: Callable[..., list[Tensor]]
) -> None:
    pair = family("binomial", link)
    y = torch.full_like(TAILS, label)
    with mp.workdps(900):
        exact = [_label_truth(link, label, e) for e in TAILS.tolist()]
    for k, got in enumerate(pair.terms(y, TAILS, 2)):
        assert torch.isfinite(got).all()
        expected = torch.tensor([float(row[k]) for row in exact], dtype=torch.float64)
        shown = (expected.abs() > 1e-290) & (expected.abs() < 1e290)
        torch.testing.assert_close(got[shown], expected[shown], rtol=3e-12 if k == 2 else 1e-12, atol=0)
        assert (got[expected.abs() <= 1e-290].abs() < 1e-280).all()
        assert (got[expected >= 1e290] > 1e280).all()


def _label_truth(link: str, label: float, e: float) -> list[mp.mpf]:
    """-log of the label's probability and its derivatives, from the textbook densities in 900 digits."""
    e = mp.mpf(e)
    z = mp.exp(-e if link == "loglog" else e)
    match link:
        case "logit":
            upper, density, slope = 1 / (1 + mp.exp(-e)), 1 / (2 + mp.exp(e) + mp.exp(-e)), -mp.tanh(e / 2)
            lower = 1 / (1 + mp.exp(e))
        case "probit":
            upper, lower, density, slope = mp.erfc(-e / mp.sqrt(2)) / 2, mp.erfc(e / mp.sqrt(2)) / 2, mp.npdf(e), -e
        case "cauchit":
            upper, lower = mp.atan2(1, -e) / mp.pi, mp.atan2(1, e) / mp.pi
            density, slope = 1 / (mp.pi * (1 + e * e)), -2 * e / (1 + e * e)
        case "cloglog" | "loglog":
            if z > 1e4:  # exp(-z) has no 900 digits left: the limits
                small = (mp.mpf(0),) * 3
                big = (z, -z if link == "loglog" else z, z)
                return list(big if (label == 1) == (link == "loglog") else small)
            upper, lower = -mp.expm1(-z), mp.exp(-z)
            density, slope = z * mp.exp(-z), 1 - z
            if link == "loglog":
                upper, lower, slope = lower, upper, -slope
    if label == 1:
        a = density / upper
        return [-mp.log(upper), -a, -a * (slope - a)]
    b = density / lower
    return [-mp.log(lower), b, b * (slope + b)]


@pytest.mark.parametrize("one", [family("poisson"), family("negative_binomial", alpha=0.7), family("gamma", "log")])
def test_log_links_reach_far(one: Family, truth: Callable[..., list[Tensor]]) -> None:
    eta = torch.tensor([-700.0, -300.0, -50.0, 50.0, 300.0, 650.0], dtype=torch.float64)
    y = torch.full_like(eta, 3.0)
    for got, expected in zip(one.terms(y, eta, 1), truth(one, y, eta), strict=False):
        torch.testing.assert_close(got, expected, rtol=1e-12, atol=0)


def test_the_negative_binomial_and_gamma_outlive_the_exponential() -> None:
    eta, y = torch.tensor([1000.0, -1000.0], dtype=torch.float64), torch.tensor([2.0, 2.0], dtype=torch.float64)
    value, gradient, curvature = family("negative_binomial", alpha=0.5).terms(y, eta, 2)
    # log NB(2 | mu, 1/2) at its limits: -(y + 2) log(1 + mu / 2) for large, y log(mu) for small means
    top = 2 * (math.log(2) - 1000) - 4 * (math.log(2) - (1000 - math.log(2)))
    torch.testing.assert_close(
        value, torch.tensor([top, 2 * (math.log(2) + 1000) - 4 * math.log(2)], dtype=torch.float64)
    )
    torch.testing.assert_close(gradient, torch.tensor([2.0, -2.0]).double())
    assert torch.isfinite(curvature).all()
    value, gradient, _ = family("gamma", "log").terms(y[:1], eta[:1], 2)
    assert float(value) == pytest.approx(999 - math.log(2), rel=1e-15)
    assert float(gradient) == 1.0


def _distribution(pair: Family, mu: float) -> object:
    """The distribution of y with dispersion 1."""
    match pair.name:
        case "poisson":
            return stats.poisson(mu)
        case "negative_binomial":
            return stats.nbinom(1 / pair.alpha, 1 / (1 + pair.alpha * mu))
        case "binomial":
            return stats.bernoulli(mu)
        case "gamma":
            return stats.gamma(3.0, scale=mu / 3.0)
        case "gaussian":
            return stats.norm(mu, 1.0)
    return stats.invgauss(mu / 4.0, scale=4.0)


@pytest.mark.parametrize(
    "one",
    [
        family("poisson"),
        family("poisson", "sqrt"),
        family("binomial", "probit"),
        family("binomial", "cauchit"),
        family("negative_binomial", alpha=0.7),
        family("gamma", "log"),
        family("gaussian", "log"),
        family("inverse_gaussian", "log"),
    ],
)
def test_the_fisher_weight_is_the_mean_curvature(one: Family) -> None:
    eta = one.link.link(torch.tensor([0.6], dtype=torch.float64))
    law = _distribution(one, 0.6)

    def curvature(y: np.ndarray) -> np.ndarray:
        at = torch.as_tensor(np.atleast_1d(np.asarray(y, dtype=float)))
        return one.curvature(at, eta.expand_as(at)).numpy()

    if isinstance(law.dist, stats.rv_discrete):
        y = np.arange(300.0)[: 2 if one.name == "binomial" else None]
        mean = float((curvature(y) * law.pmf(y)).sum())
    else:  # the curvature is linear in y
        mean = float(curvature(law.mean()).item())
    assert mean == pytest.approx(float(one.fisher(torch.tensor([1.0]).double(), eta)), rel=1e-9)


@pytest.mark.parametrize(("power", "name"), [(0, "gaussian"), (1, "poisson"), (2, "gamma"), (3, "inverse_gaussian")])
@pytest.mark.parametrize("link", ["log", "identity", "inverse"])
def test_tweedie_holds_the_named_families(power: int, name: str, link: str) -> None:
    y, eta = torch.rand(2, 50, dtype=torch.float64, generator=torch.Generator().manual_seed(3)) * 4 + 0.1
    ours, named = family("tweedie", link, power=power), family(name, link)
    for a, b in zip(ours.terms(y, eta, 2), named.terms(y, eta, 2), strict=True):
        assert torch.equal(a, b)
    near = family("tweedie", link, power=power + (1e-9 if power else -1e-9))
    for a, b in zip(near.terms(y, eta, 2), named.terms(y, eta, 2), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)


def test_a_small_alpha_is_a_poisson_family() -> None:
    y, eta = (
        torch.poisson(torch.full((50,), 3.0).double(), torch.Generator().manual_seed(1)),
        torch.linspace(-3, 3, 50).double(),
    )
    for a, b in zip(
        family("negative_binomial", alpha=1e-13).terms(y, eta, 2), family("poisson").terms(y, eta, 2), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def test_swapped_labels_turn_the_sign() -> None:
    y, eta = (
        (torch.rand(60, generator=torch.Generator().manual_seed(2)) < 0.5).double(),
        torch.linspace(-4, 4, 60).double(),
    )
    for link, mirror in [("logit", "logit"), ("probit", "probit"), ("cauchit", "cauchit"), ("cloglog", "loglog")]:
        there = family("binomial", link).terms(y, eta, 2)
        back = family("binomial", mirror).terms(1 - y, -eta, 2)
        for a, b, sign in zip(there, back, (1, -1, 1), strict=True):
            torch.testing.assert_close(a, sign * b, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog", "log", "identity"])
def test_a_mixed_block_of_labels_and_proportions_is_the_same_row_by_row(link: str) -> None:
    pair = family("binomial", link)
    y = torch.tensor([0.0, 1.0, 0.3, 0.999, 1e-6, 0.5], dtype=torch.float64)
    eta = pair.link.link(torch.tensor([0.1, 0.4, 0.29, 0.99, 0.01, 0.5], dtype=torch.float64))
    together = pair.terms(y, eta, 2)
    alone = [pair.terms(y[i : i + 1], eta[i : i + 1], 2) for i in range(len(y))]
    for k, whole in enumerate(together):
        torch.testing.assert_close(whole, torch.cat([row[k] for row in alone]), rtol=1e-14, atol=1e-17)
