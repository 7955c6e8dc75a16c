"""mpg.simulate: the same scheduler in virtual time, deterministic.

What a simulation is made of is here at once. `sweep` with its `Scenario`, and the modules `theory` and `workloads`,
are loaded when they are first asked for: a program that only runs has no use for them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..port import GO, HOST, HOST_GIL, Capabilities
from .arrivals import arrivals, rng
from .costs import COSTS, Costs
from .knobs import Policy
from .simulate import SimResult, simulate

if TYPE_CHECKING:
    from . import theory, workloads
    from .scenarios import Scenario, sweep

__all__ = [
    "COSTS",
    "GO",
    "HOST",
    "HOST_GIL",
    "Capabilities",
    "Costs",
    "Policy",
    "Scenario",
    "SimResult",
    "arrivals",
    "rng",
    "simulate",
    "sweep",
    "theory",
    "workloads",
]


def __getattr__(name: str) -> Any:
    if name in ("Scenario", "sweep"):
        return getattr(import_module(".scenarios", __name__), name)
    if name in ("theory", "workloads"):
        return import_module("." + name, __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
