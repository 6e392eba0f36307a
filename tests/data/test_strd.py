"""NIST's own files, against the same values parsed by other hands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thalweg.data.sources import open_source
from thalweg.data.strd import parse_strd, read_strd
from thalweg.errors import SourceError

NAMES = (
    "Norris Pontius NoInt1 NoInt2 Filip Longley Wampler1 Wampler2 Wampler3 Wampler4 Wampler5 Misra1a Chwirut2 Lanczos3"
    " Gauss1 DanWood Kirby2 MGH17 Misra1c Roszman1 ENSO MGH09 BoxBOD MGH10 Rat43"
)


@pytest.mark.parametrize("name", NAMES.split())
def test_every_set(reference: Path, reference_json: Any, name: str) -> None:
    known = next(entry for entry in reference_json("strd.json") if entry["name"] == name)
    found = read_strd(reference / "nist" / f"{name}.dat")
    assert found.name == name
    assert list(found.columns) == ["y", *known["x_names"]]
    x = np.array(known["x"], dtype=float).reshape(len(known["x_names"]), -1)
    assert np.array_equal(found.columns["y"], np.array(known["y"], dtype=float))
    assert np.array_equal(np.array([found.columns[n] for n in known["x_names"]]), x)
    assert list(found.parameters) == known["param_names"]
    assert found.certified.tolist() == known["certified"]
    assert found.std_errors.tolist() == known["std_errors"]
    assert list(found.certified_text) == known["certified_str"]
    assert list(found.std_errors_text) == known["std_errors_str"]
    assert found.residual_sd == known["residual_sd"]
    assert [s.tolist() for s in found.starts] == known["starts"]
    assert found.difficulty == known["difficulty"]
    assert found.model.startswith("y = ")


def test_as_a_source(reference: Path) -> None:
    source = open_source(reference / "nist" / "Longley.dat")
    assert source.names == ("y", "x1", "x2", "x3", "x4", "x5", "x6")
    assert source.description == "Longley.dat: NIST reference dataset, 16 rows and 7 columns"
    (batch,) = source.batches(["y", "x6"])
    assert batch.columns["y"][0] == 60323  # type: ignore[index]
    assert batch.columns["x6"][-1] == 1962  # type: ignore[index]


def test_models(reference: Path) -> None:
    assert read_strd(reference / "nist" / "Norris.dat").model == "y = B0 + B1*x + e"
    assert read_strd(reference / "nist" / "Roszman1.dat").model == "y = b1 - b2*x - arctan[b3/(x-b4)]/pi + e"
    assert "b9*sin( 2*pi*x/b7 ) + e" in read_strd(reference / "nist" / "ENSO.dat").model


def test_broken_files(reference: Path, tmp_path: Path) -> None:
    whole = (reference / "nist" / "Norris.dat").read_bytes()
    with pytest.raises(SourceError, match=r"N has 3\d rows and says that it has 36"):
        parse_strd(whole[: whole.rindex(b"\n", 0, -40)], "N")
    with pytest.raises(SourceError, match="N has no table of data"):
        parse_strd(whole[:1500], "N")
    with pytest.raises(SourceError, match=r"no number.*N, line 61"):
        parse_strd(whole.replace(b"0.1        0.2", b"0.1        o.2", 1), "N")
    with pytest.raises(SourceError, match=r"1 values for 2 columns.*N, line 61"):
        parse_strd(whole.replace(b"0.1        0.2", b"0.1           ", 1), "N")
    with pytest.raises(SourceError, match="not in the format"):
        parse_strd(b"x,y\n1,2\n", "N")
    with pytest.raises(SourceError, match="cannot be read"):
        read_strd(tmp_path / "none.dat")
