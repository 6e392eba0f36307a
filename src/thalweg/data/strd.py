"""NIST's Statistical Reference Datasets: their file format, with the certified values.

https://www.itl.nist.gov/div898/strd/
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thalweg.errors import SourceError

_NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[EeDd][-+]?[0-9]+)?"
_LINEAR = re.compile(rf"^\s*(B[0-9]+)\s+({_NUMBER})\s+({_NUMBER})\s*$")
_CURVE = re.compile(rf"^\s*(b[0-9]+)\s*=\s*({_NUMBER})\s+({_NUMBER})\s+({_NUMBER})\s+({_NUMBER})\s*$")


@dataclass(frozen=True)
class Strd:
    """A reference dataset.

    Attributes
    ----------
    name : str
    model : str
        As the file writes it, on one line: 'y = B0 + B1*x + e'.
    difficulty : str
        'Lower', 'Average' or 'Higher'.
    columns : dict of str to ndarray of float64, (n,)
        The response y first, then x, or x1, x2, ...
    parameters : tuple of str
        'B0', 'B1', ... of linear sets; 'b1', 'b2', ... of curves.
    certified, std_errors : ndarray of float64, (p,)
        The certified estimates and their standard deviations.
    certified_text, std_errors_text : tuple of str
        The same as printed: the decimals are the certificate, the float64 are the nearest to them.
    residual_sd : float
    residual_sd_text : str
    starts : tuple of ndarray of float64, (p,)
        The two starts of a curve; none for a linear set.
    """

    name: str
    model: str
    difficulty: str
    columns: dict[str, np.ndarray]
    parameters: tuple[str, ...]
    certified_text: tuple[str, ...]
    std_errors_text: tuple[str, ...]
    residual_sd_text: str
    starts: tuple[np.ndarray, ...]

    @property
    def certified(self) -> np.ndarray:
        return _floats(self.certified_text)

    @property
    def std_errors(self) -> np.ndarray:
        return _floats(self.std_errors_text)

    @property
    def residual_sd(self) -> float:
        return _float(self.residual_sd_text)


def is_strd(head: bytes) -> bool:
    """Whether a file that begins so is in NIST's format."""
    return head.lstrip().startswith(b"NIST/ITL StRD")


def read_strd(path: str | Path) -> Strd:
    """Read a .dat file of NIST's Statistical Reference Datasets.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    SourceError
        No such file, another format, or one that is cut short.

    Examples
    --------
    >>> read_strd("Norris.dat")
    Traceback (most recent call last):
    thalweg.errors.SourceError: Norris.dat cannot be read: no such file or directory.
    """
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from error
    return parse_strd(text, Path(path).name)


def parse_strd(content: bytes, name: str) -> Strd:
    """The same for a file's content."""
    if not is_strd(content):
        raise SourceError(f"{name} is not in the format of NIST's reference datasets")
    lines = content.decode("latin-1").splitlines()
    header = _first(lines, 0, r"^Data:\s+[A-Za-z][A-Za-z0-9]*(?:\s+[A-Za-z][A-Za-z0-9]*)*\s*$", "table of data", name)
    about = lines[:header]
    curves = [m.groups() for m in map(_CURVE.match, about) if m]
    linear = [m.groups() for m in map(_LINEAR.match, about) if m]
    rows = [g[0] for g in curves or linear], [g[-2] for g in curves or linear], [g[-1] for g in curves or linear]
    if not rows[0]:
        raise SourceError(f"{name} has no certified values")
    return Strd(
        name=_found(about, r"^Dataset Name:\s*(\S+)", "name", name),
        model=_model(about, name),
        difficulty=_found(about, r"(\w+) Level of Difficulty", "level of difficulty", name),
        columns=_table(lines, header, _observations(about, name), name),
        parameters=tuple(rows[0]),
        certified_text=tuple(rows[1]),
        std_errors_text=tuple(rows[2]),
        residual_sd_text=_found(about, rf"Standard Deviation:?\s+({_NUMBER})\s*$", "residual SD", name),
        starts=tuple(_floats([g[k] for g in curves]) for k in (1, 2)) if curves else (),
    )


def _first(lines: Sequence[str], start: int, pattern: str, what: str, name: str) -> int:
    for i in range(start, len(lines)):
        if re.search(pattern, lines[i]):
            return i
    raise SourceError(f"{name} has no {what}", advice="It may be cut short: download it again.")


def _found(lines: Sequence[str], pattern: str, what: str, name: str) -> str:
    match = re.search(pattern, lines[_first(lines, 0, pattern, what, name)])
    assert match
    return match.group(1)


def _observations(lines: Sequence[str], name: str) -> int:
    return int(_found(lines, r"^\s+([0-9]+) Observations", "count of observations", name))


def _model(lines: Sequence[str], name: str) -> str:
    """The model's equation, joined to one line."""
    start = _first(lines, _first(lines, 0, r"^Model:", "model", name), r"^\s*[a-z\[\]]+\s*=\s", "equation", name)
    if lines[start].split()[0] == "pi":
        start += 1
    joined = []
    for line in lines[start:]:
        if not line.strip() or re.search(r"Starting|Certified", line):
            break
        joined.append(" ".join(line.split()))
    return " ".join(joined)


def _table(lines: Sequence[str], header: int, observations: int, name: str) -> dict[str, np.ndarray]:
    names = lines[header].split()[1:]
    values = []
    for number, line in enumerate(lines[header + 1 :], header + 2):
        if not line.strip():
            continue
        cells = line.split()
        if len(cells) != len(names):
            raise SourceError(f"a row has {len(cells)} values for {len(names)} columns", where=f"{name}, line {number}")
        try:
            values.append(_floats(cells))
        except ValueError:
            raise SourceError(f"a value that is no number: {line.strip()}", where=f"{name}, line {number}") from None
    if len(values) != observations:
        raise SourceError(
            f"{name} has {len(values)} rows and says that it has {observations}",
            advice="It may be cut short: download it again.",
        )
    return {column: np.array([row[i] for row in values]) for i, column in enumerate(names)}


def _float(text: str) -> float:
    return float(text.replace("D", "E").replace("d", "e"))


def _floats(texts: Sequence[str]) -> np.ndarray:
    return np.array([_float(text) for text in texts], dtype=np.float64)
