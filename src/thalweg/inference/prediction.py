"""Predictions for new rows, with intervals, read in batches.

For a row x with offset o, eta = x' theta + o and mu = h(eta). With C the covariance of the coefficients and q the
quantile of the fit's t or normal distribution,

    standard error of eta     se = sqrt(x' C x);  of mu, |h'(eta)| se (delta method)
    interval for the mean     h(eta ± q se): its ends are transformed, so that they stay inside the range of the mean
    interval for a new value  mu ± q sqrt(x' C x + dispersion)              least squares only, for a weight of 1

The last one rests on normal errors around the line. For other families the spread of a new value depends on its
distribution and on the uncertainty of the mean together, and no formula of this kind covers it: it is refused rather
than approximated.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from thalweg.curves.undetermined import UNDETERMINED
from thalweg.data.block import Block
from thalweg.data.gathered import whole
from thalweg.data.roles import for_prediction, require_roles
from thalweg.data.rows import Rows, piece_rows
from thalweg.data.source import Batch, Source
from thalweg.errors import CollinearityWarning, ExtrapolationWarning, NotAvailableError, OptionError, tell
from thalweg.inference.distributions import check_level, quantile
from thalweg.inference.statistics import is_least_squares
from thalweg.objective import linear_predictor

if TYPE_CHECKING:
    from thalweg.result import Fit

KINDS = ("mean", "link")
INTERVALS = ("mean", "prediction")
UNSEEN = ("error", "null", "reference")
MISSING = ("error", "null")


@final
@dataclass(frozen=True)
class Prediction:
    """Predictions of new rows.

    Attributes
    ----------
    columns : dict of str to ndarray, (n,)
        "prediction"; with an interval also "lower", "upper" and "standard_error" (of the mean, or of eta for kind
        "link"; never of a new value).
    interval_kind : {"mean", "prediction"} or None
        What the interval is for.
    level : float or None
    outside : dict of str to int
        For each column, how many rows lie outside the range of the training data; empty where none does.
    note : str or None
        What the interval takes for granted.
    frame_library : {"pandas", "polars", "pyarrow"} or None
        In which of them the rows came.
    """

    columns: dict[str, np.ndarray]
    interval_kind: str | None = None
    level: float | None = None
    outside: dict[str, int] = field(default_factory=dict)
    note: str | None = None
    frame_library: str | None = None


@final
@dataclass(frozen=True)
class Request:
    """What to compute for each row; `of` checks the options against the fit."""

    kind: str
    interval_kind: str | None
    level: float | None
    unseen: str = "error"
    missing: str = "error"

    @classmethod
    def of(
        cls,
        fit: Fit,
        interval: str | float | None,
        level: float | None,
        kind: str,
        *,
        unseen: str = "error",
        missing: str = "error",
    ) -> Request:
        """Read the options of `predict`.

        Raises
        ------
        OptionError, NotAvailableError
            As `predict`.
        """
        if kind not in KINDS:
            raise OptionError(f"kind is {kind!r}", advice="It is 'mean' (mu) or 'link' (eta).")
        if unseen not in UNSEEN:
            raise OptionError(f"unseen is {unseen!r}", advice="It is 'error', 'null' or 'reference'.")
        if missing not in MISSING:
            raise OptionError(f"missing is {missing!r}", advice="It is 'error' or 'null'.")
        if interval is None:
            if level is not None:
                raise OptionError("a level without an interval", advice="Say interval='mean' or 'prediction' too.")
            return cls(kind, None, None, unseen, missing)
        interval_kind, level = _interval(fit, interval, level, kind)
        check_level(level)
        _check_possible(fit, interval_kind, kind)
        return cls(kind, interval_kind, level, unseen, missing)

    def note(self, fit: Fit) -> str | None:
        """What the interval takes for granted, where it is not in the formula."""
        weighted = "weights" in fit.options and fit.options.get("weights_kind") in ("precision", "absolute")
        if self.interval_kind != "prediction" or not weighted:
            return None
        return f"the fit has {fit.options['weights_kind']} weights; the interval is for a new observation of weight 1"


def predict(
    fit: Fit,
    data: Any = None,
    interval: str | float | None = None,
    level: float | None = None,
    kind: str = "mean",
    *,
    unseen: str = "error",
    missing: str = "error",
    offset: Any = None,
    exposure: Any = None,
    **reading: Any,
) -> Prediction:
    """Predict rows of a table, of any kind that `fit` reads; the response may be absent from it.

    Parameters
    ----------
    fit : Fit
    data : anything `thalweg.data.sources.open_source` opens, optional
        None: the rows of the fit, those that were left out for missing values excepted, in the order of `residuals`.
    interval : {None, "mean", "prediction"} or float in (0, 1)
        A number is the level: of an interval for a new value where the model is least squares, else for the mean.
    level : float, optional
        With "mean" or "prediction"; the fit's own level where it is None.
    kind : {"mean", "link"}
        mu, or eta with its offset.
    unseen : {"error", "null", "reference"}
        What an unseen category does: raise, give NaN, or count as the reference level.
    missing : {"error", "null"}
        What a row that lacks a predictor does: raise, or give NaN.
    offset, exposure : str or array, optional
        Those of the new rows: a column, an expression, or one entry per row. By default the column that the fit names;
        a fit that was given an array needs one here.
    **reading :
        How to read a text file: delimiter, decimal, encoding, header, format, text.

    Returns
    -------
    Prediction

    Raises
    ------
    OptionError
        Options that do not exist, a prediction interval for a family other than the gaussian with the identity link, or
        no offset or exposure where the fit was given an array.
    NotAvailableError
        An interval where the fit has no covariance; the text says why. No data, and a fit that was loaded.
    UnseenLevelError, ColumnError, MissingValueError
        Rows that the model cannot read.

    Warns
    -----
    ExtrapolationWarning
        Rows outside the range of the training data, with their number for each column.
    CollinearityWarning
        The fit has aliased columns, so that its predictions hold only where their relations do.
    """
    request = Request.of(fit, interval, level, kind, unseen=unseen, missing=missing)
    source = _source(fit, data, {"offset": offset, "exposure": exposure, **reading})
    fit, source = for_prediction(fit, source, {"offset": offset, "exposure": exposure})
    outside: Counter[str] = Counter()
    parts = list(batches(fit, source, request, outside))
    columns = (
        {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else _nothing(request)
    )
    if data is not None:
        warn(fit, outside, len(columns["prediction"]))
    note, library = request.note(fit), source.frame_library
    return Prediction(columns, request.interval_kind, request.level, dict(outside), note, library)


def _source(fit: Fit, data: Any, told: Mapping[str, Any]) -> Source:
    """The new rows, or where there are none those of the fit."""
    from thalweg.data.sources import open_source

    if data is not None:
        return open_source(data, **{name: value for name, value in told.items() if name not in ("offset", "exposure")})
    for name, value in told.items():
        if value is not None:
            raise OptionError(f"{name}= without data", advice="The rows of the fit have their own; or give the data.")
    return _Own(fit.data())


@final
class _Own(Source):
    """The complete rows of a fit."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    @property
    def names(self) -> tuple[str, ...]:
        return self._rows.source.names

    @property
    def rows(self) -> int:
        return self._rows.count

    @property
    def description(self) -> str:
        return self._rows.source.description

    @property
    def frame_library(self) -> str | None:
        return self._rows.source.frame_library

    def place(self, row: int) -> str:
        return self._rows.source.place(row)

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        return self._rows.batches()


def batches(fit: Fit, source: Source, request: Request, outside: Counter[str]) -> Iterator[dict[str, np.ndarray]]:
    """The columns of `predict`, some rows at a time, for tables that do not fit in memory; counts into `outside`."""
    require_roles(fit, source)
    rows = piece_rows(fit.spec, len(fit.names))
    solver = _Rows(fit, request)
    for read in whole(source, fit.spec).batches(fit.spec.predictor_columns):
        batch = replace(read, places=source.place)
        outside.update({name: count for name, count in fit.spec.outside(batch).items() if count})
        for first in range(0, batch.rows, rows):
            part = batch[first : first + rows]
            block = fit.spec.block(part, response=False, unseen=request.unseen, missing=request.missing)
            yield solver.columns(block.double())


def warn(fit: Fit, outside: Mapping[str, int], rows: int) -> None:
    """Say once what makes these predictions less than the model's summary promises."""
    if outside:
        listed = ", ".join(f"{count} in {name}" for name, count in sorted(outside.items()))
        tell(ExtrapolationWarning(f"of {rows} rows, outside the range of the training data: {listed}"))
    if fit.aliased:
        listed = "; ".join(f"{name} {relation}" for name, relation in fit.aliased.items())
        tell(CollinearityWarning(f"predictions hold for rows that obey what the training data obeyed: {listed}"))
    free = [name for name, reason in fit.held.items() if reason == UNDETERMINED]
    if free:
        tell(
            CollinearityWarning(
                f"{', '.join(free)}: {UNDETERMINED}. Predictions of rows unlike those of the fit depend on the values"
                " that the solver happened to end at, and their intervals do not show it"
            )
        )


def _interval(fit: Fit, interval: str | float, level: float | None, kind: str) -> tuple[str, float]:
    """Kind and level of the interval that was asked for."""
    if isinstance(interval, str):
        if interval not in INTERVALS:
            raise OptionError(f"interval is {interval!r}", advice="It is 'mean', 'prediction' or a level as 0.95.")
        return interval, fit.level if level is None else level
    if level is not None and level != interval:
        raise OptionError(f"interval={interval} and level={level} are two levels", advice="Give one of them.")
    return "prediction" if is_least_squares(fit.family) and kind == "mean" else "mean", interval


def _check_possible(fit: Fit, interval_kind: str, kind: str) -> None:
    if interval_kind == "prediction" and not is_least_squares(fit.family):
        raise OptionError(
            f"a prediction interval for the {fit.family.name} family with the {fit.family.link.name} link",
            advice="Only least squares has one; interval='mean' gives that of the mean.",
        )
    if interval_kind == "prediction" and kind == "link":
        raise OptionError("a prediction interval for kind 'link'", advice="A new value has no eta: use kind 'mean'.")
    if fit.separation is not None:
        raise NotAvailableError(f"the predictions have no interval: {fit.separation.sentence}")
    if fit.covariance is None:
        raise NotAvailableError(f"the predictions have no interval: {fit.covariance_reason or 'no covariance'}")
    if interval_kind == "prediction" and math.isnan(fit.statistics.dispersion):
        raise NotAvailableError(f"a new value has no interval: {fit.statistics.reasons.get('dispersion')}")


def _variances(fit: Fit) -> Iterator[tuple[str, Tensor]]:
    """Each name with its variance."""
    assert fit.covariance is not None
    return zip(fit.names, fit.covariance.diagonal(), strict=True)


def _nothing(request: Request) -> dict[str, np.ndarray]:
    names = ["prediction"] if request.interval_kind is None else ["prediction", "lower", "upper", "standard_error"]
    return {name: np.empty(0) for name in names}


@final
class _Rows:
    """The formulas of this module, for one block after the other."""

    def __init__(self, fit: Fit, request: Request) -> None:
        self.fit, self.request = fit, request
        if request.level is not None:
            self.q = quantile(request.level, fit.df)
            # An aliased coefficient is 0 and known, a parameter that is held is known too: they add nothing to the
            # variance. Of parameters that are not determined, the covariance has what is: see `warn`.
            covariance = fit.covariance
            assert covariance is not None
            known = [name in fit.aliased or (name in fit.held and bool(v.isnan())) for name, v in _variances(fit)]
            estimated = ~torch.tensor(known, device=covariance.device)
            self.covariance = covariance.where(estimated[:, None] & estimated, 0.0)

    def columns(self, block: Block) -> dict[str, np.ndarray]:
        eta = linear_predictor(block, self.fit.theta)
        prediction = self._back(eta)
        if self.request.interval_kind is None:
            return {"prediction": prediction.numpy(force=True)}
        error = self._error(block)
        if self.request.interval_kind == "prediction":
            half = self.q * (error.square() + self.fit.statistics.dispersion).sqrt()
        else:
            half = self.q * error
        lower, upper = self._ends(eta, half)
        if self.request.kind == "mean":
            error = self.fit.family.link.derivative(eta).abs() * error
        columns = {"prediction": prediction, "lower": lower, "upper": upper, "standard_error": error}
        return {name: column.numpy(force=True) for name, column in columns.items()}

    def _error(self, block: Block) -> Float[Tensor, "n"]:
        """sqrt(x' C x)."""
        x = block.matrix.dense()
        return ((x @ self.covariance) * x).sum(1).clamp_min(0.0).sqrt()

    def _back(self, eta: Tensor) -> Tensor:
        return eta if self.request.kind == "link" else self.fit.family.mean(eta)

    def _ends(self, eta: Tensor, half: Tensor) -> tuple[Tensor, Tensor]:
        """The interval's ends, in order (a link may decrease); NaN where eta ± half leaves the domain of the link."""
        low, high = self._end(eta - half), self._end(eta + half)
        return torch.minimum(low, high), torch.maximum(low, high)

    def _end(self, eta: Tensor) -> Tensor:
        end = self._back(eta)
        inside = None if self.request.kind == "link" else self.fit.family.inside(eta)
        return end if inside is None else end.where(inside, torch.nan)
