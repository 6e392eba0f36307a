"""Inference: what the coefficients are worth, and what the data say about questions put to them.

One idea per file: `reading` (rows at the coefficients, and what a weight means), `statistics` with `sums`, `moments`,
`null_model` (the fit as a whole), `covariance` with `bread`, `correlation`, `coefficients`, `hypotheses` with
`hypothesis_text` (the coefficients), `intervals` with `profile` and `bootstrap`, which has its data from `resample`,
`nested` (two fits), `residuals` (its rows), `prediction` (new rows), `distributions` (tails).
"""
