"""The problem that a curve's fit solved, to be solved again: with a parameter held, or of other responses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast, final

import numpy as np

from thalweg.curves.parameters import Parameters
from thalweg.curves.problem import CurveProblem
from thalweg.curves.spec import CurveSpec
from thalweg.errors import NotAvailableError

if TYPE_CHECKING:
    from thalweg.result import Fit


@final
@dataclass(frozen=True)
class Refit:
    """A fitted curve as its solver saw it.

    Attributes
    ----------
    problem : CurveProblem
        Of the free parameters.
    parameters : Parameters
    theta : ndarray, (p,)
        The free ones, fitted.
    """

    problem: CurveProblem
    parameters: Parameters
    theta: np.ndarray

    @classmethod
    def of(cls, fit: Fit) -> Refit:
        """The problem of a fit.

        Raises
        ------
        NotAvailableError
            A model that was loaded holds no rows.
        """
        from thalweg.curves.fit import problem_of

        rows = fit.data()
        details: dict[str, Any] = {} if fit.solution is None else fit.solution.details
        if "parameters" not in details:
            raise NotAvailableError("this fit does not say how its parameters were found", advice="Fit again.")
        problem = problem_of(rows, cast(CurveSpec, fit.spec), fit.family, details["parameters"])
        return cls(problem, details["parameters"], details["free"])

    @property
    def names(self) -> tuple[str, ...]:
        """The free parameters."""
        return self.parameters.free

    def bounded(self, lower: np.ndarray, upper: np.ndarray) -> CurveProblem:
        """The same problem with other bounds; a parameter is held where both are equal."""
        known = self.problem
        return CurveProblem(known.curve, known.parts, known.loss, known.rows, lower=lower, upper=upper)


def is_curve(fit: Fit) -> bool:
    """Whether a fit is one of a curve."""
    return isinstance(fit.spec, CurveSpec)
