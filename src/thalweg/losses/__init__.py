"""Losses: families of distributions with their links, as functions of one row's response and eta."""

from thalweg.losses.base import Family, Link, Loss
from thalweg.losses.registry import family, link_of
from thalweg.losses.response import check_response

__all__ = ["Family", "Link", "Loss", "check_response", "family", "link_of"]
