"""The way to a fit: what can be asked of the states that its solver went through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from thalweg.errors import NotAvailableError
from thalweg.record import Record

if TYPE_CHECKING:
    from pathlib import Path

    from thalweg.descent import Descent
    from thalweg.result import Fit


@dataclass(frozen=True, eq=False, repr=False)
class Way(Record):
    """A record that shows how its coefficients were found."""

    @property
    def history(self) -> Any:
        """The states of the solver as a frame: step, loss, gradient_norm, learning_rate, seconds, every coefficient.

        Of a descent the loss is in its own convention and the gradient's norm is Euclidean; `thalweg.solvers` says what
        the others measure. Where all states would take more than 64 MB, one in 2, 4, 8, ... is kept.

        Examples
        --------
        >>> import thalweg as tw
        >>> data = tw.simulate("line", n=20, seed=10, slope=2, intercept=5, noise=1, low=0, high=10)
        >>> fit = tw.fit("y ~ x", data, solver=tw.GradientDescent(lr=0.02, steps=2000))
        >>> fit.history[["step", "loss", "Intercept", "x"]].tail(1).round(4)
              step    loss  Intercept       x
        2000  2000  0.9271     4.8026  2.0709
        """
        from thalweg.show.history import history_frame

        if self.trace is None:
            raise NotAvailableError("this model was loaded from a file, which holds no history")
        return history_frame(self.trace, self._moved, self.rows)

    @property
    def _moved(self) -> tuple[str, ...]:
        """The names of what a solver's states hold: of a curve the free parameters."""
        parameters = {} if self.solution is None else self.solution.details
        return parameters["parameters"].free if "parameters" in parameters else self.names

    def animate(self, path: str | Path, kind: str | None = None, **options: Any) -> None:
        """Draw the way to the fit as a moving picture, or as one page that plays offline.

        Parameters
        ----------
        path : path
            .gif, .webp, .mp4 (needs ffmpeg), .html (a page with a slider, without any network), or a folder of PNG.
        kind : {"all", "fit", "loss", "traces", "surface"}, optional
            "fit" is the fit moving over the data; "all" (the default) has the loss beside it.
        **options
            frames, every, spacing ("auto", "equal" or "log"), fps, seconds, title, x, parameters, width, height: see
            `thalweg.show.motion.animate`.

        Examples
        --------
        >>> import tempfile, thalweg as tw
        >>> data = tw.simulate("line", n=20, seed=10, slope=2, intercept=5, noise=1, low=0, high=10)
        >>> fit = tw.fit("y ~ x", data, solver=tw.GradientDescent(lr=0.02, steps=2000))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     fit.animate(f"{folder}/descent.gif", frames=5)
        """
        from thalweg.show.motion import animate

        animate(cast("Fit", self) if self.descent is None else self.descent, path, kind, **options)

    def module(self) -> Any:
        """The fitted model as an `nn.Module` with a `state_dict`: see `thalweg.modules.module_of`.

        Examples
        --------
        >>> import thalweg as tw
        >>> list(tw.fit("progression ~ bmi + bp", "diabetes").module().state_dict())
        ['linear.weight', 'linear.bias']
        """
        from thalweg.curves.spec import CurveSpec
        from thalweg.modules import module_of

        if self.descent is None and isinstance(self.spec, CurveSpec):
            raise NotAvailableError("a curve has no module of its own", advice="fit.equation('python') is its source.")
        return module_of(self.names, self.theta, self.family) if self.descent is None else self.descent.module()

    def explain_step(self, step: int = 0) -> str:
        """One step of the descent written out, with the numbers put into the formulas; `print` it.

        Parameters
        ----------
        step : int
            From state `step` to the next one; negative numbers count from the end.

        Examples
        --------
        >>> import thalweg as tw
        >>> fit = tw.fit("y ~ x", {"x": [1, 2], "y": [2, 3]}, solver=tw.GradientDescent(lr=0.1, steps=2000))
        >>> print(fit.explain_step(0))
        Step 0: from state 0 to state 1 of GradientDescent, lr 0.1
        ...
        """
        return self._descended().explain_step(step)

    def diagnose(self) -> Any:
        """How far from the optimum the descent ended, and how many more steps it would take; `print` it."""
        return self._descended().diagnose()

    def _descended(self) -> Descent:
        if self.descent is None and self.solution is None:
            raise NotAvailableError(
                "this fit was loaded from a file, which holds no descent", advice="Fit again to see its steps."
            )
        if self.descent is None:
            raise NotAvailableError(
                "this fit was not made by a descent",
                advice="Fit with solver=thalweg.GradientDescent(lr=...), and see it step by step.",
            )
        return self.descent
