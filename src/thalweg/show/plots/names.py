"""Names of parameters where there is little room."""

from __future__ import annotations

import re

from thalweg.show.numbers import elide_column


def short_name(name: str, width: int) -> str:
    """A parameter's name in at most so many characters, powers as they are written by hand.

    Examples
    --------
    >>> short_name("I(x ** 3)", 11), short_name("mean_concavity", 9)
    ('x³', 'mean…vity')
    """
    power = re.fullmatch(r"I\((\w+) \*\* ([2-9])\)", name)
    return elide_column(power[1] + "²³⁴⁵⁶⁷⁸⁹"[int(power[2]) - 2] if power else name, width)
