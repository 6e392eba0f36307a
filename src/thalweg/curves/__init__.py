"""Curves that are not linear in their parameters: expressions, their derivatives, and what fits them."""
