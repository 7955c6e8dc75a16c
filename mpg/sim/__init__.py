"""mpg.simulate: the same scheduler in virtual time, deterministic."""

from .simulate import SimResult, simulate

__all__ = ["SimResult", "simulate"]
