"""mpg.simulate: the same scheduler in virtual time, deterministic."""

from ..port import GO, HOST, HOST_GIL, Capabilities
from .arrivals import arrivals, rng
from .costs import COSTS, Costs
from .knobs import Policy
from .simulate import SimResult, simulate

__all__ = [
    "COSTS",
    "GO",
    "HOST",
    "HOST_GIL",
    "Capabilities",
    "Costs",
    "Policy",
    "SimResult",
    "arrivals",
    "rng",
    "simulate",
]
