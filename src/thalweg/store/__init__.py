"""Model files: one safetensors file per model, written whole or not at all, refused when a bit of it differs."""

from thalweg.store.model import load, save

__all__ = ["load", "save"]
