"""Inference: what the coefficients are worth, and what the data say about questions put to them.

One idea per file: `reading` (rows at the coefficients, and what a weight means), `statistics` with `sums`, `moments`,
`null_model` (the fit as a whole), `covariance` with `bread`, `coefficients`, `intervals`, `hypotheses` with
`hypothesis_text` (the coefficients), `residuals` (its rows), `prediction` (new rows), `distributions` (tails).
"""
