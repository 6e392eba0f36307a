"""How well a fit's parameters are known: intervals, tests, covariance and resampling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from jaxtyping import Float
from torch import Tensor

from thalweg.errors import NotAvailableError
from thalweg.way import Way

if TYPE_CHECKING:
    from thalweg.curves.fits import Fits
    from thalweg.inference.bootstrap import Bootstrap
    from thalweg.inference.hypotheses import WaldTest
    from thalweg.inference.intervals import Intervals
    from thalweg.inference.nested import NestedTest
    from thalweg.inference.profile import Profile
    from thalweg.result import Fit


@dataclass(frozen=True, eq=False, repr=False)
class Uncertainty(Way):
    """A record that says how sure its parameters are."""

    def wald(self, hypothesis: str) -> WaldTest:
        """Wald test of linear hypotheses about coefficients, by name.

        Parameters
        ----------
        hypothesis : str
            Equations separated by commas: "bmi = bp", "2*bmi - bp = 3, s5 = 0", "C(sex)[T.2] = 0".

        Returns
        -------
        WaldTest
            statistic (F, or chi-squared where tests are normal ones), df, df_denominator, p_value, text.

        Examples
        --------
        >>> import thalweg as tw
        >>> print(tw.fit("progression ~ bmi + bp", "diabetes").wald("bmi = 5*bp"))
        bmi = 5*bp: F(1, 439) = 1.06472, p = 0.3027
        """
        from thalweg.inference.hypotheses import wald

        return wald(cast("Fit", self), hypothesis)

    def term_tests(self) -> list[WaldTest]:
        """For each term of the formula, the Wald test that all its coefficients are zero while the others stay.

        Examples
        --------
        >>> import thalweg as tw
        >>> for test in tw.fit("progression ~ bmi + C(sex)", "diabetes").term_tests():
        ...     print(test)
        Intercept: F(1, 439) = 42.2323, p = 2.204e-10
        bmi: F(1, 439) = 228.965, p = 6.289e-42
        C(sex): F(1, 439) = 0.0503504, p = 0.8226
        """
        from thalweg.inference.hypotheses import term_tests

        return term_tests(cast("Fit", self))

    def compare(self, other: Fit | Fits, *others: Fit | Fits) -> NestedTest:
        """Test this fit against a larger one that holds it as a special case, or a smaller one inside it.

        F = ((D1 - D2) / (p2 - p1)) / phi2 with D the deviance (the residual sum of squares of least squares); where the
        dispersion is known, D1 - D2 is chi-squared. Formulas and curves may be mixed. That one lies inside the other
        cannot be seen from the fits: it is for you to know.

        Parameters
        ----------
        other : Fit or Fits
            Of the same rows, with the same response, weights, family and link. One only: others are refused.

        Returns
        -------
        NestedTest
            statistic, df, df_denominator, p_value, aic (of the larger less that of the smaller), text.

        Raises
        ------
        OptionError
            Fits of different rows, weights or families, or with as many parameters.
        NotAvailableError
            Without a likelihood (a robust loss, sampling weights, a robust covariance), or where the larger fit is the
            worse one, and so not at its minimum.

        References
        ----------
        Bates & Watts (1988), Nonlinear Regression Analysis and Its Applications, section 3.10.1,
        doi:10.1002/9780470316757.

        Examples
        --------
        >>> import thalweg as tw
        >>> small, large = tw.fit("progression ~ bmi", "diabetes"), tw.fit("progression ~ bmi + bp", "diabetes")
        >>> print(small.compare(large))
        progression ~ bmi inside progression ~ bmi + bp: F(1, 439) = 37.8455, p = 1.726e-09, AIC -34.55
        """
        from thalweg.inference.nested import compare

        return compare(cast("Fit", self), other, *others)

    def intervals(self, level: float | None = None, method: str = "wald", **options: Any) -> Intervals:
        """Confidence intervals of the parameters by name, (low, high); NaN where theory gives none.

        Parameters
        ----------
        level : float, optional
            In (0, 1); the fit's own by default.
        method : {"wald", "profile", "bootstrap"}
            "wald": estimate ± quantile * standard error. "profile": where the likelihood, maximized over the other
            parameters, is high enough; of a curve it need not be symmetric, and an end may be infinite. A parameter
            computed from others has Wald's. "bootstrap": from fits of resampled data.
        **options
            Of the bootstrap: replicates, kind, seed (see `bootstrap`), and interval ("bca", "percentile", "basic").

        Returns
        -------
        dict of str to (float, float)
            With `notes`: why an end is absent or infinite, by name.

        Raises
        ------
        OptionError
        NotAvailableError
            A fit without a profile or a bootstrap; the text says why.

        Warns
        -----
        ConvergenceWarning
            A profile found a lower minimum than the fit's, or some replicates could not be fitted.

        References
        ----------
        Bates & Watts (1988), chapter 6, doi:10.1002/9780470316757; Efron (1987), doi:10.2307/2289144.

        Examples
        --------
        >>> import thalweg as tw
        >>> low, high = tw.fit("progression ~ bmi + bp", "diabetes").intervals(0.9)["bmi"]
        >>> round(low, 3), round(high, 3)
        (7.357, 9.681)
        >>> data = {"x": [0.02, 0.02, 0.06, 0.06, 0.11, 0.11], "rate": [76, 47, 97, 107, 123, 139]}
        >>> fit = tw.fit("rate = top * x / (k + x)", data, start={"top": 200, "k": 0.05})
        >>> {name: [round(end, 3) for end in ends] for name, ends in fit.intervals(method="profile").items()}
        {'top': [121.525, 339.146], 'k': [0.011, 0.151]}
        """
        from thalweg.inference.intervals import intervals

        return intervals(cast("Fit", self), level, method, **options)

    def profile(self, name: str, level: float | None = None) -> Profile:
        """The profile likelihood of one parameter of a curve, with points enough to draw it.

        tau(v) = sign(v - estimate) sqrt(2 (J(v) - J) / phi), J(v) the least of the objective with the parameter held at
        v. A straight line where Wald's interval is right.

        Parameters
        ----------
        name : str
            A fitted parameter.
        level : float, optional
            In (0, 1); the fit's own by default.

        Returns
        -------
        Profile
            value and signed_root (m,); parameters, the traces of all; low, high, and notes of ends that are none.

        Raises
        ------
        OptionError, NotAvailableError

        References
        ----------
        Bates & Watts (1988), section 6.1.2, doi:10.1002/9780470316757.

        Examples
        --------
        >>> import thalweg as tw
        >>> data = {"x": [0.02, 0.02, 0.06, 0.06, 0.11, 0.11], "rate": [76, 47, 97, 107, 123, 139]}
        >>> found = tw.fit("rate = top * x / (k + x)", data, start={"top": 200, "k": 0.05}).profile("k")
        >>> round(found.low, 3), round(found.high, 3), len(found.value) > 10
        (0.011, 0.151, True)
        """
        from thalweg.inference.profile import profile

        return profile(cast("Fit", self), name, level)

    def bootstrap(self, replicates: int = 1000, kind: str = "residual", seed: int = 0) -> Bootstrap:
        """Fit again and again, to data as chance might have made them: a curve, or least squares.

        Parameters
        ----------
        replicates : int
        kind : {"residual", "pairs", "parametric"}
            "residual" draws residuals (centred, divided by sqrt(1 - leverage)) with replacement; "pairs" draws rows;
            "parametric" draws responses from the family.
        seed : int

        Returns
        -------
        Bootstrap
            estimates (K, p), std_errors, bias, intervals(level, kind), and how many replicates failed.

        Raises
        ------
        OptionError, NotAvailableError

        References
        ----------
        Davison & Hinkley (1997), Bootstrap Methods and their Application, doi:10.1017/CBO9780511802843.

        Examples
        --------
        >>> import thalweg as tw
        >>> found = tw.fit("progression ~ bmi", "diabetes").bootstrap(200, kind="pairs", seed=1)
        >>> found.estimates.shape, found.failed
        ((200, 2), 0)
        """
        from thalweg.inference.bootstrap import bootstrap

        return bootstrap(cast("Fit", self), replicates, kind, seed)

    def vcov(self, kind: str | None = None, cluster: str | None = None) -> Float[Tensor, "p p"]:
        """Covariance matrix of the coefficients, in the order of `names`; NaN for what is held or not determined.

        Parameters
        ----------
        kind : {"model", "HC0", "HC1", "HC2", "HC3", "cluster", "linearized"}, optional
            The fit's own by default; another is made from the rows of the fit.
        cluster : str, optional
            A column of labels, for "cluster"; the fit's own clusters by default.

        Raises
        ------
        NotAvailableError
            There is none, with the reason; or the model was loaded and holds no rows.

        Examples
        --------
        >>> import thalweg as tw
        >>> fit = tw.fit("progression ~ bmi + bp", "diabetes")
        >>> dict(zip(fit.names, fit.vcov("HC3").diagonal().sqrt().numpy().round(4).tolist()))
        {'Intercept': 18.1555, 'bmi': 0.7233, 'bp': 0.2375}
        """
        from thalweg.conclude import recovered
        from thalweg.foreign import covariance_kind
        from thalweg.inference.correlation import without_held

        kind = covariance_kind(kind)
        fit = cast("Fit", self)
        matrix, reason = (fit.covariance, fit.covariance_reason) if kind is None else recovered(fit, kind, cluster)
        if matrix is None:
            raise NotAvailableError(f"there is no covariance: {reason}")
        return without_held(fit, matrix)

    def correlation(self) -> Any:
        """Correlations of the estimates, as a frame of the library of the data; NaN for what is held.

        r_ij = C_ij / sqrt(C_ii C_jj) with C the covariance. Near 1 or -1, the data determine a combination of two
        parameters well and each of them badly.

        Raises
        ------
        NotAvailableError
            The fit has no covariance; the text says why.

        Examples
        --------
        >>> import thalweg as tw
        >>> tw.fit("progression ~ bmi + bp", "diabetes").correlation().round(3)
                term  Intercept    bmi     bp
        0  Intercept      1.000 -0.457 -0.628
        1        bmi     -0.457  1.000 -0.395
        2         bp     -0.628 -0.395  1.000
        """
        from thalweg.inference.correlation import correlation

        return correlation(cast("Fit", self))
