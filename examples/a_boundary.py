"""A boundary: which tumours are malignant? Odds, their intervals, and what separation looks like."""

import math
import warnings

import thalweg as tw
from thalweg.errors import SeparationWarning

fit = tw.fit("diagnosis ~ mean_radius + mean_texture", "breast_cancer", family="binomial")
print(fit.summary())

print("\nOne unit more multiplies the odds of", fit.spec.response.levels[1], "by")
for name, estimate in fit.coefficients.items():
    if name != "Intercept":
        print(f"  {name:14} {math.exp(estimate):.2f}")

# Petals tell setosa from the other irises without an error. Then no coefficients are the most likely ones: each larger
# vector is more likely than the last. Thalweg says so, and gives no numbers.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", SeparationWarning)
    separated = tw.fit('species == "setosa" ~ petal_length + petal_width', "iris", family="binomial")
print("\n" + separated.separation.sentence)
