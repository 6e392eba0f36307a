"""`thalweg show`: the table of a saved model."""

from __future__ import annotations

from thalweg.cli import options as o
from thalweg.cli.report import check_words, report
from thalweg.cli.speech import notes


def show(
    model: o.Model,
    equation: o.Equation = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """Show a saved model: its table, its equation, or both as JSON.

    [bold]Example[/]: thalweg show m.safetensors --equation sql
    """
    import thalweg

    check_words(equation)
    with notes() as noted:
        report(thalweg.load(model), equation, json=json, quiet=quiet, notes=noted)
