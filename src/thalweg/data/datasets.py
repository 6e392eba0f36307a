"""Real data by name: what scikit-learn ships, in original units, with names that a formula can hold; and a curve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.errors import OptionError

if TYPE_CHECKING:
    from thalweg.data.memory import MemorySource


@dataclass(frozen=True)
class Dataset:
    """A built-in data set, described.

    Attributes
    ----------
    name : str
    rows : int
    columns : tuple of str
    about : str
        What it is, in one sentence, with the column to explain.
    """

    name: str
    rows: int
    columns: tuple[str, ...]
    about: str


_CELL = (
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave_points",
    "symmetry",
    "fractal_dimension",
)
_WINE = (
    "alcohol",
    "malic_acid",
    "ash",
    "alcalinity_of_ash",
    "magnesium",
    "total_phenols",
    "flavanoids",
    "nonflavanoid_phenols",
    "proanthocyanins",
    "color_intensity",
    "hue",
    "od280_od315_of_diluted_wines",
    "proline",
)

_ALL = (
    Dataset(
        "diabetes",
        442,
        ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6", "progression"),
        "Patients, in original units, and the progression of their diabetes one year later (Efron et al. 2004).",
    ),
    Dataset(
        "breast_cancer",
        569,
        (
            *(f"mean_{part}" for part in _CELL),
            *(f"{part}_error" for part in _CELL),
            *(f"worst_{part}" for part in _CELL),
            "diagnosis",
        ),
        "Measures of cell nuclei, and the diagnosis, malignant or benign (Wisconsin, 1995).",
    ),
    Dataset(
        "iris",
        150,
        ("sepal_length", "sepal_width", "petal_length", "petal_width", "species"),
        "Iris flowers in centimetres, and their species (Fisher 1936).",
    ),
    Dataset(
        "wine",
        178,
        (*_WINE, "cultivar"),
        "Chemical analyses of wines, and their cultivar (Forina et al. 1988).",
    ),
    Dataset(
        "puromycin",
        23,
        ("conc", "rate", "state"),
        "Rate of an enzyme's reaction (counts/min/min) by concentration of its substrate (ppm), in cells treated with"
        " puromycin or not: for 'rate = michaelis_menten(conc, vmax, km)' (Treloar 1974).",
    ),
)
_BY_NAME = {dataset.name: dataset for dataset in _ALL}


def datasets() -> tuple[Dataset, ...]:
    """The built-in data sets.

    Examples
    --------
    >>> [d.name for d in datasets()]
    ['diabetes', 'breast_cancer', 'iris', 'wine', 'puromycin']
    """
    return _ALL


def load_dataset(name: str, as_frame: str = "mapping") -> Any:
    """A built-in data set.

    Parameters
    ----------
    name : str
        One of `datasets()`.
    as_frame : {'mapping', 'pandas', 'polars', 'pyarrow'}
        A mapping of NumPy arrays, or a frame of that library, which has to be installed.

    Raises
    ------
    OptionError
        An unknown name or library.

    Examples
    --------
    >>> load_dataset("iris")["species"][:2].tolist()
    ['setosa', 'setosa']
    """
    if name not in _BY_NAME:
        raise OptionError(f"there is no data set '{name}'", advice=f"There are: {', '.join(_BY_NAME)}.")
    columns = _columns(_BY_NAME[name])
    if as_frame == "mapping":
        return columns
    if as_frame not in ("pandas", "polars", "pyarrow"):
        raise OptionError(f"as_frame={as_frame!r}", advice="Say 'mapping', 'pandas', 'polars' or 'pyarrow'.")
    import narwhals as nw

    return nw.from_dict(columns, backend=as_frame).to_native()  # type: ignore[arg-type]


def dataset_source(name: str, absent: str | None = None) -> MemorySource:
    """A built-in data set as a source; `absent` is the file that was asked for and is not there."""
    from thalweg.data.arrays import array_source
    from thalweg.data.columns import describe

    dataset = _BY_NAME[name]
    instead = f" (there is no file {absent} here)" if absent else ""
    size = describe(dataset.rows, len(dataset.columns))
    return array_source(_columns(dataset), f"built-in data set '{name}'{instead}: {size}")


def is_dataset(name: str) -> bool:
    """Whether there is a built-in data set of this name."""
    return name in _BY_NAME


def _columns(dataset: Dataset) -> dict[str, np.ndarray]:
    if dataset.name == "puromycin":
        return _puromycin()
    import sklearn.datasets

    options = {"scaled": False} if dataset.name == "diabetes" else {}
    found = getattr(sklearn.datasets, f"load_{dataset.name}")(**options)
    values = [np.ascontiguousarray(column) for column in found.data.T]
    target = found.target if dataset.name == "diabetes" else np.array(found.target_names)[found.target].astype(str)
    return dict(zip(dataset.columns, [*values, target], strict=True))


_TREATED = (76, 47, 97, 107, 123, 139, 159, 152, 191, 201, 207, 200)
_UNTREATED = (67, 51, 84, 86, 98, 115, 131, 124, 144, 158, 160)  # the second measurement at 1.10 is missing


def _puromycin() -> dict[str, np.ndarray]:
    """Treloar, M. A. (1974), Effects of Puromycin on Galactosyltransferase in Golgi Membranes, M.Sc. thesis, Toronto.

    As in Bates, D. M. & Watts, D. G. (1988), Nonlinear Regression Analysis and Its Applications, appendix A1.3,
    doi:10.1002/9780470316757, and in R's `datasets`.
    """
    conc = np.repeat([0.02, 0.06, 0.11, 0.22, 0.56, 1.10], 2)
    return {
        "conc": np.concatenate([conc, conc[:-1]]),
        "rate": np.array([*_TREATED, *_UNTREATED], dtype=np.float64),
        "state": np.array(["treated"] * len(_TREATED) + ["untreated"] * len(_UNTREATED)),
    }
