"""A line: fit it, look at it, keep it, predict from it."""

import thalweg as tw

fit = tw.fit("progression ~ bmi + bp", "diabetes")
print(fit.summary())
print(fit.equation())

fit.plot("fit", "line.png")
fit.save("line.safetensors")

again = tw.load("line.safetensors")
new = {"bmi": [21.0, 33.0], "bp": [90.0, 110.0]}
print("\nPredictions for two people, with 95% intervals for one more of each kind:")
print(again.predict(new, interval=0.95))
