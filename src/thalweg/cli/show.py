"""`thalweg show`: the table of a saved model."""

from __future__ import annotations

from thalweg.cli import options as o
from thalweg.cli.report import check_words, prepare
from thalweg.cli.speech import notes


def show(
    model: o.Model,
    equation: o.Equation = None,
    kind: o.EquationKind = "mean",
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """Show a saved model: its table, its equation, or both as JSON.

    [bold]Example[/]: thalweg show m.safetensors --equation sql
    """
    import thalweg

    check_words(equation, kind)
    with notes() as noted:
        prepare(thalweg.load(model), equation, kind, json=json, quiet=quiet).print(noted)
