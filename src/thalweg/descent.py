"""What a descent leaves behind: the parameters, the way it came, and what can be told of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from torch import Tensor

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure
    from torch import nn

    from thalweg.data.rows import Rows
    from thalweg.diagnose.diagnosis import Diagnosis
    from thalweg.observers import History
    from thalweg.problem import Problem
    from thalweg.solvers.base import Solution
    from thalweg.solvers.descent import DescentSolver


@final
@dataclass(frozen=True, eq=False, repr=False)
class Descent:
    """A fit by descent of any predictor; `Fit.descent` where the predictor was a formula.

    Attributes
    ----------
    problem : Problem
        The function that was minimized.
    solver : DescentSolver
    solution : Solution
        How it ended: status, advice, steps.
    trace : History
        Its states.
    rows : Rows or None
        The rows behind the problem, where a formula made them.
    columns : tuple of str
        What x was read from, where there was no formula.
    response : str
        What y was read from, likewise.

    Examples
    --------
    >>> import thalweg as tw
    >>> data = {"x": [1.0, 2.0, 3.0], "y": [2.0, 4.0, 6.0]}
    >>> descent = tw.fit(tw.Elementwise(), data, solver=tw.GradientDescent(lr=0.1, steps=1000))
    >>> descent.solution.status.value, descent.loss < 1e-12
    ('converged', True)
    """

    problem: Problem
    solver: DescentSolver
    solution: Solution
    trace: History
    rows: Rows | None = None
    columns: tuple[str, ...] = ()
    response: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each entry of theta."""
        return self.problem.names

    @property
    def parameters(self) -> Mapping[str, Tensor]:
        """The parameters at the end, by name and in their own shapes and type.

        Of a descent that diverged or was interrupted: those of its best state.

        Examples
        --------
        >>> import thalweg as tw
        >>> solver = tw.GradientDescent(lr=0.4, steps=1000)
        >>> descent = tw.fit("y ~ x", {"x": [-1.0, 0.0, 1.0], "y": [1.0, 3.0, 5.0]}, solver=solver).descent
        >>> {name: round(float(value), 6) for name, value in descent.parameters.items()}
        {'Intercept': 3.0, 'x': 2.0}
        """
        from thalweg.predictors import Linear

        predictor = getattr(self.problem, "predictor", None) or Linear(self.problem.names)
        return predictor.split(self.solution.theta.to(self.problem.dtype))

    @property
    def loss(self) -> float:
        """The loss of these parameters, in the convention of the solver."""
        return self.solution.value * self.problem.scale

    def predict(self, data: Any = None) -> Any:
        """The means of new rows, or of those of the fit.

        Parameters
        ----------
        data : what the fit was given, or a tensor x alone, optional
            The response may be absent.

        Returns
        -------
        Tensor or ndarray
            A tensor for tensors (and for the rows of the fit), else an array; in the shape of y.

        Raises
        ------
        DataError
            Columns that are missing, or of another shape than those of the fit.
        """
        from thalweg.predict import predict_descent

        return predict_descent(self, data)

    def save(self, path: str | Path) -> None:
        """Write the parameters as a state dict, one safetensors file, whole or not at all.

        The names are those of `module()`, so that `thalweg.load_into` puts them into a fresh module, which then
        predicts the same. (`Fit.save` writes the model of a formula with all that belongs to it.)

        Raises
        ------
        OptionError
            A suffix that promises a pickle.
        OutputError
            The file cannot be written; one that was there is unchanged.
        """
        from thalweg.store.state_dict import write_state_dict

        write_state_dict(path, self.module().state_dict())

    def summary(self) -> str:
        """The descent as a few lines of text; `print` it."""
        from thalweg.show.descent_text import summary_text

        return summary_text(self)

    @property
    def history(self) -> Any:
        """step, loss, gradient_norm, learning_rate, seconds and every parameter, as a frame."""
        from thalweg.show.history import history_frame

        return history_frame(self.trace, self.names, self.rows)

    def animate(self, path: str | Path, kind: str | None = None, **options: Any) -> None:
        """Draw the descent as a moving picture: .gif, .mp4 or .html."""
        from thalweg.show.motion import animate

        animate(self, path, kind, **options)

    def plot(self, kind: str = "loss", path: str | Path | None = None, **options: Any) -> Figure:
        """A picture of the descent: "fit", "loss", "traces", "surface", "surface3d", "gradient" or "rate"."""
        from thalweg.show.plots.descent import plot_descent

        return plot_descent(self, kind, path, **options)

    def module(self) -> nn.Module:
        """The fitted predictor as an `nn.Module`, with its `state_dict`."""
        from thalweg.modules import module_of

        return module_of(self)

    def explain_step(self, step: int = 0) -> str:
        """One step written out, with the numbers put into the formulas."""
        from thalweg.explain import explain_step

        return explain_step(self, step)

    def diagnose(self) -> Diagnosis:
        """How far from the optimum the descent ended, and how many more steps it would take."""
        from thalweg.diagnose.after import diagnose_descent

        return diagnose_descent(self)

    def __repr__(self) -> str:
        from thalweg.show.descent_text import short_text

        return f"<Descent, {short_text(self)}: call summary()>"

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(self.summary())}</pre>"
