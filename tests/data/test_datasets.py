"""The built-in data sets."""

from __future__ import annotations

from pathlib import Path

import pytest

import thalweg as tw
from thalweg.data.datasets import datasets, load_dataset
from thalweg.data.source import Coded
from thalweg.data.sources import open_source
from thalweg.errors import OptionError, SourceError


@pytest.mark.parametrize("dataset", datasets(), ids=lambda d: d.name)
def test_as_described(dataset) -> None:  # type: ignore[no-untyped-def]
    columns = load_dataset(dataset.name)
    assert tuple(columns) == dataset.columns
    assert {len(c) for c in columns.values()} == {dataset.rows}
    assert all(name.isidentifier() for name in columns)
    source = open_source(dataset.name)
    assert (source.names, source.rows) == (dataset.columns, dataset.rows)
    assert dataset.name in source.description


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_as_a_frame(library: str) -> None:
    source = open_source(load_dataset("iris", library))
    assert source.frame_library == library
    (batch,) = source.batches(["species"])
    assert isinstance(batch.columns["species"], Coded)
    assert batch.columns["species"].levels == ("setosa", "versicolor", "virginica")


def test_known_facts() -> None:
    diabetes = load_dataset("diabetes")
    assert sorted(set(diabetes["sex"])) == [1, 2]
    assert (diabetes["age"][0], diabetes["bmi"][0], diabetes["progression"][0]) == (59, 32.1, 151)
    cancer = load_dataset("breast_cancer")["diagnosis"]
    assert ((cancer == "malignant").sum(), (cancer == "benign").sum()) == (212, 357)


@pytest.mark.parametrize(
    ("state", "vmax", "km", "sigma"),
    [
        ("treated", (2.127e02, 6.947e00), (6.412e-02, 8.281e-03), 10.93),
        ("untreated", (1.603e02, 6.480e00), (4.771e-02, 7.782e-03), 9.773),
    ],
)
def test_puromycin_has_the_numbers_that_r_has(state, vmax, km, sigma) -> None:  # type: ignore[no-untyped-def]
    """What `example(Puromycin)` prints in R: estimates, standard errors and sigma to four digits."""
    columns = load_dataset("puromycin")
    rows = columns["state"] == state
    fit = tw.fit(
        "rate = Vm * conc / (K + conc)", {n: columns[n][rows] for n in ("conc", "rate")}, start={"Vm": 200, "K": 0.05}
    )
    found = {name: (fit.coefficients[name], fit.std_errors[name]) for name in ("Vm", "K")}
    assert found["Vm"] == pytest.approx(vmax, rel=5e-4)
    assert found["K"] == pytest.approx(km, rel=5e-4)
    assert fit.statistics.sigma == pytest.approx(sigma, rel=5e-4)


def test_a_file_goes_before_a_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    built_in = open_source("diabetes.csv")
    assert built_in.rows == 442
    assert "there is no file diabetes.csv here" in built_in.description
    Path("diabetes.csv").write_text("a\n1\n")
    assert open_source("diabetes.csv").names == ("a",)
    with pytest.raises(SourceError, match="no file"):
        open_source(tmp_path / "elsewhere" / "diabetes.csv")


def test_unknown_names() -> None:
    with pytest.raises(OptionError, match=r"no data set 'titanic'.*diabetes"):
        load_dataset("titanic")
    with pytest.raises(OptionError, match="as_frame"):
        load_dataset("iris", "excel")
    with pytest.raises(SourceError, match="Did you mean 'iris'"):
        open_source("irsi")
