"""Truths for tests/test_bad_input.py: exact least squares, maximum likelihood in 50 digits, and the tables of files."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import mpmath


def exact_least_squares(columns: Sequence[Sequence[float]], y: Sequence[float]) -> list[float]:
    """(X'X)^-1 X'y in rational arithmetic, rounded once."""
    x = [[Fraction(v) for v in column] for column in columns]
    right = [Fraction(v) for v in y]
    p = len(x)
    rows = [[_dot(x[i], x[j]) for j in range(p)] + [_dot(x[i], right)] for i in range(p)]
    for i in range(p):
        pivot = next(k for k in range(i, p) if rows[k][i] != 0)
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [v / rows[i][i] for v in rows[i]]
        for k in range(p):
            if k != i:
                rows[k] = [a - rows[k][i] * b for a, b in zip(rows[k], rows[i], strict=True)]
    return [float(row[p]) for row in rows]


def _dot(a: Sequence[Fraction], b: Sequence[Fraction]) -> Fraction:
    return sum((u * v for u, v in zip(a, b, strict=True)), Fraction(0))


def exact_canonical(family: str, columns: Sequence[Sequence[float]], y: Sequence[float]) -> list[float]:
    """Maximum likelihood of a logistic or Poisson (log) regression in 50 digits."""
    with mpmath.workdps(50):
        x = mpmath.matrix([[mpmath.mpf(float(v)) for v in row] for row in zip(*columns, strict=True)])
        target = mpmath.matrix([mpmath.mpf(float(v)) for v in y])
        theta, value = mpmath.zeros(x.cols, 1), mpmath.inf
        for _ in range(200):
            mu, variance, loss = _terms(family, x * theta, target)
            gradient = x.T * (mu - target)
            hessian = x.T * mpmath.diag(list(variance)) * x
            step = mpmath.lu_solve(hessian, -gradient)
            while (new := _terms(family, x * (theta + step), target)[2]) > loss and mpmath.norm(step) > 1e-40:
                step /= 2
            theta, value = theta + step, new
            if mpmath.norm(step) < mpmath.mpf(10) ** -35 * (1 + mpmath.norm(theta)):
                break
        assert mpmath.isfinite(value)
        return [float(v) for v in theta]


def _terms(family: str, eta: mpmath.matrix, y: mpmath.matrix) -> tuple[list, list, mpmath.mpf]:
    if family == "poisson":
        mu = [mpmath.exp(e) for e in eta]
        return mpmath.matrix(mu), mu, sum(m - t * e for m, t, e in zip(mu, y, eta, strict=True))
    mu = [1 / (1 + mpmath.exp(-e)) for e in eta]
    loss = sum(mpmath.log1p(mpmath.exp(e)) - t * e for t, e in zip(y, eta, strict=True))
    return mpmath.matrix(mu), [m * (1 - m) for m in mu], loss


CLEAN = "x,y,g\n" + "".join(f"{i},{2 * i + i * i % 7}.5,{'ab'[i % 2]}\n" for i in range(1, 13))

# name: (content, what the message must say)
REFUSED_FILES: dict[str, tuple[str | bytes, str]] = {
    "empty": (b"", "bad.csv is empty"),
    "header only": ("x,y,g\n", "no rows"),
    "ragged": (CLEAN + "1,2\n", "line 14"),
    "too long a row": (CLEAN + "1,2,a,4\n", "4 values where the table has 3 columns.*line 14"),
    "binary": (bytes(range(256)) * 8, "binary"),
    "unclosed quote": (CLEAN + '1,2,"a\n3,4,b\n', "line 14"),
    "1e400": (CLEAN + "1e400,2,a\n", "'x' holds 1e400.*line 14"),
    "beyond 2^53": (CLEAN + "9007199254740993,2,a\n", "'x' holds 9007199254740993.*line 14"),
    "duplicate header": (CLEAN.replace("x,y,g", "x,y,x"), "two columns are called 'x'"),
    "missing header": ("1,2\n3,5\n4,4\n", "there is no column 'y'"),
    "text in a number column": (CLEAN + "12,abc,a\n", "'y' holds numbers, and 'abc'.*line 14"),
    "missing value": (CLEAN + "12,,a\n", "'y' has a missing value.*14.*missing"),
    "not a number": (CLEAN + "12,nan,a\n", "'y'"),
    "infinite": (CLEAN + "inf,1,a\n", "'x'"),
    "thousand or decimal comma": ("x;y\n1,234;1\n2,500;2\n3,125;4\n", "a thousand or a decimal comma"),
    "Parquet by name only": (b"PAR1" + bytes(40), "Parquet"),
}

# name: a file that means the same as CLEAN
SAME_FILES: dict[str, bytes] = {
    "byte order mark": b"\xef\xbb\xbf" + CLEAN.encode(),
    "UTF-16": CLEAN.encode("utf-16"),
    "UTF-16 big-endian": b"\xfe\xff" + CLEAN.encode("utf-16-be"),
    "Windows line ends": CLEAN.replace("\n", "\r\n").encode(),
    "no last line end": CLEAN.rstrip("\n").encode(),
    "decimal comma": CLEAN.replace(",", ";").replace(".", ",").encode(),
    "tabs": CLEAN.replace(",", "\t").encode(),
    "trailing delimiter": CLEAN.replace("\n", ",\n").encode(),
    "quotes": "".join(",".join(f'"{v}"' for v in line.split(",")) + "\n" for line in CLEAN.splitlines()).encode(),
    "blank lines at the end": (CLEAN + "\n\n").encode(),
    "latin-1 in a column apart": "".join(
        line + (",städte\n" if i == 0 else ",Köln\n") for i, line in enumerate(CLEAN.splitlines())
    ).encode("latin-1"),
    "an unused column of missing values": "".join(
        line + (",q\n" if i == 0 else ",\n") for i, line in enumerate(CLEAN.splitlines())
    ).encode(),
}
