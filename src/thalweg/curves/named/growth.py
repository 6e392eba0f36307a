"""Growth to a limit: logistic, Gompertz, Weibull."""

from __future__ import annotations

from thalweg.curves.named.base import NamedCurve, Parameters
from thalweg.curves.named.rows import logarithm
from thalweg.curves.named.sigmoids import gompertz, logistic, sigmoid, weibull, weibull_survival
from thalweg.curves.named.starts import exponential, forms

# exp(-exp(u)) is 0 to the last bit from u = 7 on; the limit keeps the derivative 0 there, and not inf times 0.
_POWER = "exp(minimum(k * log(where(x > 0, x, tau) / tau), 30))"


def _centred(a: float, k: float, v0: float) -> Parameters:
    return {"a": a, "k": k, "x0": v0}


def _weibull(a: float, k: float, v0: float) -> Parameters:
    return {"a": a, "tau": exponential(v0), "k": k}


GROWTH: tuple[tuple[NamedCurve, ...], ...] = (
    forms(
        "logistic",
        ("x", "a", "k", "x0"),
        "a * sigmoid(k * (x - x0))",
        sigmoid(logistic, _centred),
        "Growth to a with the rate k, half of it at x0; k < 0 falls from a.",
        reference="Verhulst (1838), Correspondance mathématique et physique 10, 113",
    ),
    forms(
        "gompertz",
        ("x", "a", "k", "x0"),
        "a * exp(-exp(minimum(-k * (x - x0), 30)))",
        sigmoid(gompertz, _centred),
        "Growth to a, fastest at x0, where it is a / e and grows by a k / e.",
        reference="Gompertz (1825), doi:10.1098/rstl.1825.0026; Winsor (1932), doi:10.1073/pnas.18.1.1",
    ),
    forms(
        "weibull",
        ("x", "a", "tau", "k"),
        f"where(x > 0, -a * expm1(-{_POWER}), 0)",
        sigmoid(weibull, _weibull, logarithm, signed=False),
        "Growth to a as Weibull's distribution function, 63% of it at tau; 0 for x <= 0.",
        positive=("tau", "k"),
        reference="Weibull (1951), doi:10.1115/1.4010337",
    ),
    forms(
        "weibull_survival",
        ("x", "a", "tau", "k"),
        f"where(x > 0, a * exp(-{_POWER}), a)",
        sigmoid(weibull_survival, _weibull, logarithm, signed=False),
        "What Weibull's distribution leaves of a (a stretched exponential), 37% at tau; a for x <= 0.",
        positive=("tau", "k"),
        reference="Weibull (1951), doi:10.1115/1.4010337; Kohlrausch (1854), doi:10.1002/andp.18541670103",
    ),
)
