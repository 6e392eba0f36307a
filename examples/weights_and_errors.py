"""Weights: one number per row, three meanings, one set of coefficients and three sets of standard errors."""

import thalweg as tw

# Ten rows of counts; `seen` says how often each was seen, or how precise it is, or how many people it stands for.
data = {
    "visits": [2, 0, 5, 1, 7, 3, 0, 4, 2, 6],
    "age": [31, 25, 64, 38, 71, 50, 22, 58, 45, 69],
    "years": [1.0, 0.5, 2.0, 1.0, 2.5, 1.5, 0.5, 2.0, 1.0, 2.0],
    "seen": [1, 2, 1, 3, 1, 2, 2, 1, 1, 1],
}

print(f"{'weights are':12} {'age':>10} {'std error':>10} {'rows':>6}")
for kind in ("frequency", "precision", "sampling"):
    fit = tw.fit(
        "visits ~ age", data, family="poisson", exposure="years", weights="seen", weights_kind=kind, missing="error"
    )
    print(f"{kind:12} {fit.coefficients['age']:10.6f} {fit.std_errors['age']:10.6f} {fit.statistics.n:6g}")

print("\nThe rate per year, as SQL:")
print(fit.equation("sql"))
