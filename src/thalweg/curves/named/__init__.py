"""Curves that have a name, and find their own starting values.

No curve has an offset of its own, so that they add up: gaussian(x, a, mu, s) + slope * x + base. Every curve but the
polynomials takes one as a last parameter, exponential_decay(x, a, k, c), which then stands for the formula + c.

==================  =================================  ===========================================
name                call                               formula
==================  =================================  ===========================================
line                line(x, slope, intercept)          slope * x + intercept
constant            constant(x, c)                     c
polynomial          polynomial(x, c0, c1, c2)          c0 + c1 * x + c2 * x**2
poly2               poly2(x, c0, c1, c2)               c0 + c1 * x + c2 * x**2
poly3               poly3(x, c0, c1, c2, c3)           c0 + c1 * x + c2 * x**2 + c3 * x**3
exponential_decay   exponential_decay(x, a, k)         a * exp(-k * x)
exponential_growth  exponential_growth(x, a, k)        a * exp(k * x)
bi_exponential      bi_exponential(x, a1, k1, a2, k2)  a1 * exp(-k1 * x) + a2 * exp(-k2 * x)
power_law           power_law(x, a, b)                 a * x**b
arrhenius           arrhenius(x, a, ea)                a * exp(-ea / (8.314462618 * x))
logistic            logistic(x, a, k, x0)              a / (1 + exp(-k * (x - x0)))
gompertz            gompertz(x, a, k, x0)              a * exp(-exp(-k * (x - x0)))
weibull             weibull(x, a, tau, k)              a * (1 - exp(-(x / tau)**k))
weibull_survival    weibull_survival(x, a, tau, k)     a * exp(-(x / tau)**k)
michaelis_menten    michaelis_menten(x, vmax, km)      vmax * x / (km + x)
hill                hill(x, vmax, k, n)                vmax * x**n / (k**n + x**n)
gaussian            gaussian(x, a, mu, s)              a * exp(-(x - mu)**2 / (2 * s**2))
lorentzian          lorentzian(x, a, x0, g)            a * g**2 / ((x - x0)**2 + g**2)
voigt               voigt(x, a, mu, s, g)              a * Re w(u + i v) / Re w(i v)
sine                sine(x, a, f, phi)                 a * sin(2 * pi * f * x + phi)
damped_sine         damped_sine(x, a, k, f, phi)       a * exp(-k * x) * sin(2 * pi * f * x + phi)
step                step(x, a, x0, s)                  a * erfc((x0 - x) / (s * sqrt(2))) / 2
==================  =================================  ===========================================

`a` is a height or an amplitude throughout, never an area; of voigt, w is the Faddeeva function,
u = (x - mu) / (s sqrt 2) and v = g / (s sqrt 2). Decays have rates: the time constant is 1 / k. A polynomial has the
degree that its number of coefficients says, up to poly9 by name. `ALIASES` holds other names, as gauss and cubic.

References are with the curves; how starts are found, in `thalweg.curves.named.starts`.
"""

from thalweg.curves.named.base import NamedCurve
from thalweg.curves.named.registry import ALIASES, CURVES, named

__all__ = ["ALIASES", "CURVES", "NamedCurve", "named"]
