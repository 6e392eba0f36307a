"""Every annotated tensor shape is checked while fits run: jaxtyping's import hook, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import warnings
from jaxtyping import install_import_hook

install_import_hook(
    ["thalweg.objective", "thalweg.losses", "thalweg.solvers", "thalweg.data.matrix", "thalweg.data.block",
     "thalweg.data.rows", "thalweg.doubled", "thalweg.diagnose", "thalweg.inference", "thalweg.conclude",
     "thalweg.problem", "thalweg.predictors", "thalweg.derivatives", "thalweg.curves", "thalweg.estimators"],
    "numeric_tower.checked",
)
import numpy as np
import thalweg as tw
import thalweg.objective

warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
n = 60
data = {"x": rng.normal(size=n), "z": rng.normal(size=n), "g": np.array(["a", "b", "c"])[rng.integers(0, 3, n)]}
data["y"] = 1 + data["x"] + rng.normal(size=n)
data["label"] = (data["y"] + rng.normal(size=n) > 1).astype(float)
data["count"] = rng.poisson(np.exp(0.3 * data["x"])).astype(float)
data["size"] = rng.gamma(2.0, np.exp(0.2 * data["x"]))
data["apart"] = (data["x"] > 0).astype(float)
for large in (1_000_000, 0):
    thalweg.objective.LARGE = large
    for response, family in [("y", "gaussian"), ("label", "binomial"), ("count", "poisson"), ("size", "gamma"),
                             ("size", "inverse_gaussian"), ("count", "negative_binomial"), ("apart", "binomial")]:
        link = "log" if family == "inverse_gaussian" else None
        fit = tw.fit(f"{response} ~ x + z*g", data, family=family, link=link)
        fit.summary()
        if fit.covariance is not None:
            fit.vcov("HC3")
            fit.predict({name: data[name][:5] for name in ("x", "z", "g")}, interval="mean")
            fit.residuals("deviance")
for solver in (tw.GradientDescent(0.1, 50), tw.GradientDescent(0.1, 50, momentum=0.5, nesterov=True, replay=False),
               tw.GradientDescent(0.1, 50, derivative="autograd"), tw.GradientDescent(tw.Armijo(), 50), tw.LBFGS(),
               tw.SGD(0.05, epochs=2), tw.TorchOptimizer("Adam", steps=30, derivative="module")):
    for response, family in [("y", "gaussian"), ("label", "binomial")]:
        fit = tw.fit(f"{response} ~ x + z*g", data, family=family, solver=solver, weights="size")
        str(fit.diagnose())
tw.fit(tw.Elementwise(), {"x": data["x"].reshape(6, 10), "y": data["y"].reshape(6, 10)}, solver=tw.LBFGS())
tw.fit("y ~ x + I(2 * x) + g", data, weights="size", cluster="g")
curve = "y = a * exp(k * x) + c"
start = {"a": 1, "k": 0.1, "c": 0}
for options in ({}, {"start": start}, {"weights": "size", "weights_kind": "absolute"}, {"cluster": "g"},
                {"family": "huber"}, {"by": "g", "shared": ["k"]}, {"tied": {"c": "2 * a"}, "bounds": {"k": (0, 1)}}):
    made = tw.fit(curve, data, **options)
    made.summary()
    made.predict({name: data[name][:5] for name in ("x", "g")}, interval="mean")
    made.residuals("deviance")
made = tw.fit(curve, data)
made.intervals(method="profile")
made.bootstrap(replicates=50)
tw.fit("count = exp(a + b * x)", data, family="poisson").vcov("HC0")
tw.fit(curve, data, by="g").tidy()
tw.fit(curve, data, start={"a": 1, "k": 0.1, "c": 0}, solver=tw.GradientDescent(0.05, 20))
tw.fit(lambda x, a, k: a * np.exp(k * x), data)
tw.curve_fit(lambda x, a, k: a * np.exp(k * x), data["x"], data["y"])
tw.CurveRegressor("a * exp(k * x)").fit(data["x"][:, None], data["y"])
try:
    thalweg.objective.Objective(fit.rows, fit.family)(fit.theta[:, None], 0)
except Exception as error:
    print("refused", type(error).__name__)
print("checked")
"""


def test_shapes_hold_in_every_solver():
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=300, cwd=Path(__file__).parent
    )
    assert result.stdout.split() == ["refused", "TypeCheckError", "checked"], result.stderr[-3000:]
