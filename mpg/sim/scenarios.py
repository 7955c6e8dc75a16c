"""Many simulations at once, on whatever runs functions elsewhere.

* A `Scenario` is one simulation, as plain data. `sweep` sends each to a `concurrent.futures.Executor`: processes of
  this machine unless told otherwise; `dask.distributed.Client(...).get_executor()` is one for a cluster.
* Results come back as one structured array with a row for each scenario, in their order.
* One that fails says so in its row, and the others are kept: numbers are then nan or -1 and "error" is its message.
  With the default executor that also holds for one that takes its whole process down.
* A simulation is determined by its scenario, so the array does not depend on the executor.
* What is counted comes from the simulation's own counters and covers the whole run, traced or not. Only latencies are
  read off the trace; where the recorder was full they are nan, with a warning, because they would be about its end.

The processes are started afresh ("spawn"), because a fork copies threads' locks and not the threads. So a script
that sweeps needs `if __name__ == "__main__":`, and a workload that is no name of WORKLOADS must be a function that
can be imported.

Rejected: threads by default (a simulation is computation), an array for each quantity, and an exception for the
first failure (a night's sweep for one bad seed).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from ..current import tls
from ..errors import DeadlockError
from ..port import Capabilities
from .costs import Costs
from .knobs import Policy
from .simulate import SimResult, simulate
from .workloads import WORKLOADS

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

    import numpy as np
    import numpy.typing as npt

    from ..trace.trace import Trace
    from .port import SimPort

__all__ = ["Measured", "Scenario", "measure", "sweep"]

NAN = float("nan")
NAMED = 3  #: G's of a deadlock, in its row


@dataclass(frozen=True, slots=True)
class Scenario:
    """One simulation.

    Attributes:
        workload: a name of WORKLOADS, or a function that worker processes can import.
        params: its keyword arguments.
        procs, seed, like, costs, policy: as in `mpg.simulate`.
        trace: record it; without, there are no latencies, and a long one takes less memory and time.
        label: yours, to tell rows apart.
    """

    workload: str | Callable[..., Any]
    params: Mapping[str, Any] = field(default_factory=dict)
    procs: int = 4
    seed: int = 0
    like: str | Capabilities = "go"
    costs: str | Costs | None = None
    policy: Policy | None = None
    trace: bool = True
    label: str = ""

    @property
    def function(self) -> Callable[..., Any]:
        """The workload itself.

        Raises:
            ValueError: it is no name of WORKLOADS.
        """
        if not isinstance(self.workload, str):
            return self.workload
        if self.workload not in WORKLOADS:
            raise ValueError(f"there is no workload {self.workload!r}: there are {', '.join(WORKLOADS)}")
        return WORKLOADS[self.workload]

    @property
    def name(self) -> str:
        """Of the workload."""
        if isinstance(self.workload, str):
            return self.workload
        return getattr(self.workload, "__name__", type(self.workload).__name__)


class Measured(NamedTuple):
    """What one simulation came to.

    Attributes:
        makespan: virtual seconds from main's beginning to its end.
        utilisation: the share of that time for which the P's ran G's, 0 to 1.
        attempts, steals: to steal, and those that succeeded.
        handoffs: P's handed to another M.
        latency_p50, latency_p99: seconds from runnable to running; nan without a whole trace, or if no G ever ran.
        value: what main returned, if that is a number; else nan.
    """

    makespan: float = NAN
    utilisation: float = NAN
    attempts: int = -1
    steals: int = -1
    handoffs: int = -1
    latency_p50: float = NAN
    latency_p99: float = NAN
    value: float = NAN


def measure(scenario: Scenario) -> Measured:
    """Run one scenario here.

    Raises:
        Exception: whatever `mpg.simulate` raises.
    """
    return run_scenario(scenario)[0]


def run_scenario(scenario: Scenario) -> tuple[Measured, SimResult]:
    """As `measure`, with the result itself: its value is that of `timed`."""
    one = scenario
    result = simulate(
        timed,
        one.function,
        one.params,
        procs=one.procs,
        seed=one.seed,
        like=one.like,
        costs=one.costs,
        policy=one.policy,
        trace=one.trace,
    )
    value, span, ran = result.value
    p50, p99 = latency(result.trace) if one.trace else (NAN, NAN)
    measured = Measured(
        makespan=span / 1e9,
        utilisation=ran / (one.procs * span) if span else NAN,
        attempts=result.stats["attempts"],
        steals=result.stats["steals"],
        handoffs=result.stats["handoffs"],
        latency_p50=p50,
        latency_p99=p99,
        value=float(value) if isinstance(value, (int, float)) else NAN,
    )
    return measured, result


def timed(fn: Callable[..., Any], params: Mapping[str, Any]) -> tuple[Any, int, int]:
    """The simulation's main: `fn`'s value, how long it took, and for how long P's ran G's meanwhile, in virtual ns.

    `SimResult.now` also counts what the world does after main has ended.
    """
    port: SimPort = tls.m.sched.port
    begin, ran = port.now(), port.ran()
    value = fn(**params)
    return value, port.now() - begin, port.ran() - ran


def latency(trace: Trace) -> tuple[float, float]:
    """Median and 99th percentile, in seconds, of the time from runnable to running; nan if nobody knows."""
    import numpy as np

    from ..trace.derive import latencies

    dropped = trace.metadata["dropped"]
    if dropped:
        warnings.warn(
            f"latencies are nan: the recorder was full and dropped {dropped} of {dropped + len(trace)} events",
            RuntimeWarning,
            stacklevel=4,
        )
        return NAN, NAN
    ns = latencies(trace)["ns"]
    p50, p99 = np.percentile(ns, [50, 99]).tolist() if len(ns) else (NAN, NAN)
    return p50 / 1e9, p99 / 1e9


def sweep(scenarios: Iterable[Scenario], executor: Executor | None = None) -> npt.NDArray[np.void]:
    """Run every scenario and collect what they came to.

    Args:
        executor: runs them, and is left open; None: as many processes as this one may use CPUs.

    Returns:
        A structured array with a row for each scenario in order: label, workload, procs, seed and like of the
        scenario, the fields of `Measured`, and "error", "" if there was none.
    """
    every = list(scenarios)
    outcomes = on_processes(every) if executor is None else on_executor(every, executor)
    return as_array(every, [failure(one) if isinstance(one, BaseException) else one for one in outcomes])


def attempt(scenario: Scenario) -> Measured | str:
    """`measure` in a worker; a failure as text, because not every exception can be sent."""
    try:
        return measure(scenario)
    except (Exception, SystemExit) as exc:
        return failure(exc)


def failure(exc: BaseException) -> str:
    """An exception in a line: its class, the first line of its message, the G's of a deadlock, its notes."""
    first, *_ = str(exc).splitlines() or [""]
    asleep = exc.goroutines if isinstance(exc, DeadlockError) else ()
    more = [f"{len(asleep) - NAMED} more"] if len(asleep) > NAMED else []
    notes = getattr(exc, "__notes__", ())
    return "; ".join([f"{type(exc).__name__}: {first}".rstrip(": "), *asleep[:NAMED], *more, *notes])


Outcome = Measured | str | BaseException


def on_executor(scenarios: Sequence[Scenario], executor: Executor) -> list[Outcome]:
    """What became of each: its numbers, or what went wrong in the worker or on the way."""
    futures: list[Future[Measured | str] | Exception] = []
    try:
        for scenario in scenarios:
            try:
                futures.append(executor.submit(attempt, scenario))
            except Exception as exc:  # it cannot be sent, or the executor has broken down
                futures.append(exc)
        return [future if isinstance(future, Exception) else outcome(future) for future in futures]
    except BaseException:
        for future in futures:
            if not isinstance(future, Exception):
                future.cancel()
        raise


def outcome(future: Future[Measured | str]) -> Outcome:
    try:
        return future.result()
    except Exception as exc:
        return exc


def on_processes(scenarios: Sequence[Scenario]) -> list[Outcome]:
    """On processes of this machine. If one dies, its pool is lost: what had not finished then runs alone."""
    from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
    from multiprocessing import get_context

    from ..host.procs import default_procs

    context = get_context("spawn")
    workers = max(1, min(default_procs(), len(scenarios)))
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        outcomes = on_executor(scenarios, pool)
    for i, scenario in enumerate(scenarios):
        if isinstance(outcomes[i], BrokenExecutor):
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                outcomes[i] = on_executor([scenario], pool)[0]
    return outcomes


def as_array(scenarios: Sequence[Scenario], found: Sequence[Measured | str]) -> npt.NDArray[np.void]:
    import numpy as np

    texts = {
        "label": [one.label for one in scenarios],
        "workload": [one.name for one in scenarios],
        "like": [one.like if isinstance(one.like, str) else "custom" for one in scenarios],
        "error": [one if isinstance(one, str) else "" for one in found],
    }
    width = {name: max(map(len, values), default=0) or 1 for name, values in texts.items()}
    numbers = [(name, np.int64 if type(value) is int else np.float64) for name, value in NOTHING]
    rows = np.zeros(
        len(scenarios),
        [
            ("label", f"U{width['label']}"),
            ("workload", f"U{width['workload']}"),
            ("procs", np.int64),
            ("seed", np.int64),
            ("like", f"U{width['like']}"),
            *numbers,
            ("error", f"U{width['error']}"),
        ],
    )
    for name, values in texts.items():
        rows[name] = values
    for i, (scenario, one) in enumerate(zip(scenarios, found, strict=True)):
        rows["procs"][i], rows["seed"][i] = column(scenario.procs), column(scenario.seed)
        for name, value in zip(Measured._fields, Measured() if isinstance(one, str) else one, strict=True):
            rows[name][i] = value
    return rows


def column(value: Any) -> int:
    """A scenario's number, as far as a column can hold it: a row with a bad one is not to cost the others; else -1."""
    return value if isinstance(value, int) and abs(value) < 1 << 63 else -1


NOTHING = tuple(Measured()._asdict().items())
