"""Names that other programs give to options and results, and arguments in another order: what to write here."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from thalweg.errors import OptionError
from thalweg.inference.covariance import KINDS

FAMILY = ("alpha", "power", "scale", "exponent")  # parameters of families and links, which fit() hands on

_ROBUST = 'covariance="HC3" (or "HC0", "HC1", "HC2", "cluster")'
_CLUSTER = 'cluster="the column of labels"'
_FREQUENCY = 'weights="column", weights_kind="frequency"'
_PRECISION = 'weights="column", weights_kind="precision"'
_SAMPLING = 'weights="column", weights_kind="sampling"'
_DESCENT = "an option of the solver: solver=thalweg.GradientDescent(lr=0.1{})"
_BATCHES = "an option of the solver: solver=thalweg.SGD(lr=0.1, epochs=10, batch_size=32{})"
_OPTIMIZER = 'an option of the solver: solver=thalweg.TorchOptimizer("Adam", lr=0.01{})'
_OBSERVERS = "observers=[...], a list of functions of the solver's state, rules and callbacks of scikit-learn"
_PENALTY = "nothing: there are no penalties yet"
_FORMULA = 'a name in the data: thalweg.fit("y ~ x", {"x": x, "y": y})'

FOREIGN = {
    **dict.fromkeys(["cov_type", "robust", "vcov", "vcov_type", "se", "se_type", "use_t", "hc"], _ROBUST),
    **dict.fromkeys(["cov_kwds", "groups", "group", "clusters", "cluster_var", "cluster_id", "id"], _CLUSTER),
    **dict.fromkeys(["freq_weights", "frequency_weights", "fweights", "fweight"], _FREQUENCY),
    **dict.fromkeys(["var_weights", "aweights", "aweight", "weight", "sample_weight", "sample_weights"], _PRECISION),
    **dict.fromkeys(["pweights", "pweight", "sampling_weights", "survey_weights"], _SAMPLING),
    **dict.fromkeys(["penalty", "l1_ratio", "lambda_", "ridge", "lasso", "regularization", "C"], _PENALTY),
    **dict.fromkeys(["x", "X", "y", "endog", "exog"], _FORMULA),
    **dict.fromkeys(["conf_level", "confidence", "confidence_level", "conf_int", "ci"], "level=0.95"),
    **dict.fromkeys(["maxiter", "max_iterations", "n_iter"], "max_iter=100"),
    **dict.fromkeys(["tolerance", "gtol", "xtol", "ftol", "epsilon", "eps"], "tol=1e-10"),
    **dict.fromkeys(["start_params", "mustart", "etastart", "initial"], "start={name: value}"),
    **dict.fromkeys(["distribution", "dist", "model"], 'family="poisson"'),
    **dict.fromkeys(["n_trials", "size", "ntrials", "denominator"], 'trials="column", with a proportion as response'),
    **dict.fromkeys(
        ["intercept", "fit_intercept", "add_constant", "hasconst"], 'the formula: "y ~ 0 + x" has no intercept'
    ),
    **dict.fromkeys(["na_action", "dropna", "na_rm"], 'missing="drop"'),
    **dict.fromkeys(["sep", "delim"], "delimiter=';'"),
    "dec": "decimal=','",
    "subset": "data from which the rows have been selected",
    "contrasts": 'the contrast in the formula: "y ~ C(g, Sum)"',
    **dict.fromkeys(["lr", "learning_rate", "eta0", "eta", "step_size"], _DESCENT.format("")),
    **dict.fromkeys(["steps", "n_steps", "num_steps", "max_steps"], _DESCENT.format(", steps=1000")),
    "momentum": _DESCENT.format(", momentum=0.9"),
    "nesterov": _DESCENT.format(", momentum=0.9, nesterov=True"),
    "allow_divergence": _DESCENT.format(", allow_divergence=True"),
    "loss": _DESCENT.format(', loss="mean"'),
    "derivative": _DESCENT.format(', derivative="autograd"'),
    "dtype": _DESCENT.format(', dtype="float32"'),
    "device": _DESCENT.format(', device="cpu"'),
    "replay": _DESCENT.format(", replay=False"),
    **dict.fromkeys(["epochs", "n_epochs", "num_epochs", "max_epochs", "nb_epoch"], _BATCHES.format("")),
    **dict.fromkeys(["batch_size", "minibatch_size"], _BATCHES.format("")),
    **dict.fromkeys(["random_state", "shuffle"], _BATCHES.format(", seed=0")),
    "average": _BATCHES.format(", average=True"),
    **dict.fromkeys(["optimizer", "optim", "algorithm", "method"], _OPTIMIZER.format("")),
    "weight_decay": _OPTIMIZER.format(", weight_decay=0.01"),
    "betas": _OPTIMIZER.format(", betas=(0.9, 0.999)"),
    **dict.fromkeys(
        ["scheduler", "lr_scheduler"],
        _OPTIMIZER.format(', scheduler="CosineAnnealingLR", scheduler_options={"T_max": 1000}'),
    ),
    **dict.fromkeys(["callbacks", "callback"], _OBSERVERS),
    "verbose": "progress=a function that is called with each state of the solver",
    "disp": "progress=a function that is called with each state of the solver",
}

RESULTS = {
    **dict.fromkeys(["params", "coef", "coef_", "coefs", "intercept_"], "coefficients"),
    **dict.fromkeys(["bse", "std_err", "stderr"], "std_errors"),
    **dict.fromkeys(["pvalues", "p"], "p_values"),
    **dict.fromkeys(["tvalues", "zvalues", "statistic", "params_table"], "tidy()"),
    **dict.fromkeys(["conf_int", "confint"], "intervals(level)"),
    **dict.fromkeys(["cov_params", "get_robustcov_results", "cov"], "vcov(kind)"),
    **dict.fromkeys(["resid", "resid_pearson", "resid_deviance", "resid_response", "residual"], "residuals(kind)"),
    **dict.fromkeys(["fittedvalues", "fitted", "fitted_values", "mu"], "predict()"),
    **dict.fromkeys(["get_prediction", "predict_proba"], "predict(data, interval=...)"),
    **dict.fromkeys(["t_test", "f_test", "wald_test"], 'wald("x = 0")'),
    **dict.fromkeys(["anova", "wald_test_terms"], "term_tests()"),
    **dict.fromkeys(["compare_f_test", "compare_lr_test", "anova_lm"], "compare(other)"),
    **dict.fromkeys(["popt", "best_values"], "coefficients"),
    "best_fit": "predict()",
    "eval": "predict(data)",
    "eval_uncertainty": "predict(data, interval=0.95)",
    **dict.fromkeys(["pcov", "covar"], "vcov()"),
    **dict.fromkeys(["redchi", "chisqr", "chi2"], "statistics.reduced_chi2, .pearson_chi2"),
    **dict.fromkeys(["ci_report", "conf_interval"], 'intervals(method="profile")'),
    **dict.fromkeys(["fit_report", "report"], "summary()"),
    **dict.fromkeys(["rsquared", "r2"], "r_squared"),
    **dict.fromkeys(["llf", "loglik", "logLik", "loglikelihood"], "log_likelihood"),
    **dict.fromkeys(["rsquared_adj", "deviance", "fvalue", "f_pvalue", "scale", "df_resid", "df_model"], "statistics"),
    **dict.fromkeys(["nobs", "n_obs"], "n"),
    **dict.fromkeys(["get_influence", "hat_matrix_diag", "cooks_distance"], "augment()"),
    **dict.fromkeys(["converged", "mle_retvals", "success", "ier"], "solution.status"),
    **dict.fromkeys(["nfev", "nit"], "solution.passes"),
    **dict.fromkeys(["message", "mesg", "lmdif_message"], "solution.advice"),
}


def no_attribute(name: str) -> AttributeError:
    """The error for an attribute that a fit lacks, with the name it has here if another program has one.

    Examples
    --------
    >>> no_attribute("pvalues")
    AttributeError("a Fit has no attribute 'pvalues'. Here it is fit.p_values.")
    """
    here = f" Here it is fit.{RESULTS[name]}." if name in RESULTS else ""
    return AttributeError(f"a Fit has no attribute {name!r}.{here}")


def check_options(options: Iterable[str], known: Iterable[str]) -> None:
    """Refuse options that nothing takes.

    Parameters
    ----------
    options : iterable of str
        Names that were given and that the signature lacks.
    known : iterable of str
        Names that there are, to find the nearest.

    Raises
    ------
    OptionError
        With the name it has here, the nearest name, or all of them.

    Examples
    --------
    >>> check_options(["cov_type"], ["covariance"])
    Traceback (most recent call last):
    thalweg.errors.OptionError: there is no option 'cov_type'. Here it is covariance="HC3" (or "HC0", ...
    """
    known = [*known, *FAMILY]
    for name in options:
        if name in FAMILY:
            continue
        if name in FOREIGN:
            raise OptionError(f"there is no option {name!r}", advice=f"Here it is {FOREIGN[name]}.")
        near = difflib.get_close_matches(name, known, n=1)
        advice = f"Did you mean {near[0]}=?" if near else f"The options are {', '.join(sorted(known))}."
        raise OptionError(f"there is no option {name!r}", advice=advice)


def check_order(formula: Any, data: Any) -> None:
    """Refuse a formula and data in each other's places, and data without a formula.

    Raises
    ------
    OptionError
        Saying which order is meant.
    """
    if isinstance(formula, str) and not (_is_model(data) and not _is_model(formula)):
        return
    if _is_model(data):
        raise OptionError("the formula and the data are swapped", advice=f"Write fit({data!r}, data): formula first.")
    raise OptionError(
        f"the formula is a {type(formula).__name__}, not text",
        advice='Write fit("y ~ x", data), where data are a file, a frame, or arrays by name: {"x": x, "y": y}.',
    )


def _is_model(text: Any) -> bool:
    """Whether it is a text that a formula or a curve can be, and no file's name."""
    return isinstance(text, str) and ("~" in text or ("=" in text and not text.startswith(("/", "."))))


def check_arrays(formula: Any, data: Any, more: tuple[Any, ...], named: Mapping[str, Any]) -> None:
    """Refuse arrays without a name: as more arguments, as in other programs, or as keywords.

    Parameters
    ----------
    formula, data : Any
    more : tuple
        What stood after the data.
    named : mapping
        What was given as x=, y= and the like.

    Raises
    ------
    OptionError
        With the mapping to write.
    """
    shown = repr(formula) if isinstance(formula, str) else getattr(formula, "__name__", "model")
    if more:
        raise OptionError(
            f"fit takes a formula and data, and {1 + len(more)} things stand after the formula",
            advice=f'Give the arrays their names: fit({shown}, {{"x": x, "y": y}}).'
            + (" Or call thalweg.curve_fit(f, x, y)." if callable(formula) else ""),
        )
    if data is None:
        names = [name for name, value in named.items() if not isinstance(value, str | None)] or ["x", "y"]
        mapping = ", ".join(f'"{name}": {name}' for name in names)
        raise OptionError("there are no data", advice=f"Arrays go into a mapping: fit({shown}, {{{mapping}}}).")


def covariance_kind(kind: str | None) -> str | None:
    """The name of a covariance, whatever its case; unknown words as they are, for whoever refuses them.

    Examples
    --------
    >>> covariance_kind("hc1"), covariance_kind(None)
    ('HC1', None)
    """
    return {known.lower(): known for known in KINDS}.get(kind.lower(), kind) if isinstance(kind, str) else kind
