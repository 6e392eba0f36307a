"""Inference: what the coefficients are worth, and what the data say about questions put to them.

One idea per file: `reading` (rows at the coefficients, and what a weight means), `statistics` and `null_model` (about
the fit as a whole), `covariance`, `coefficients`, `intervals`, `hypotheses` (about coefficients), `residuals` (about
rows), `prediction` (about new rows), `distributions` (tails).
"""
