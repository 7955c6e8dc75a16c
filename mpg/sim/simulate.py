"""simulate: run a program on virtual P's in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import copy_context
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent, greenlet

from ..arguments import INT, PROCS, check_arguments, whole
from ..current import tls
from ..host.signals import terminable
from ..plain import PLAIN
from ..port import GO, HOST, HOST_GIL, Capabilities
from ..sched.boot import boot, end_m, outcome, start_sysmon
from ..sched.g import func_name
from ..sched.proc import schedule
from ..sched.runq import drop_fresh
from ..sched.schedt import Sched
from ..sched.structs import P
from ..seconds import FOREVER
from ..trace.record import Recorder
from ..trace.target import recorder_for, save
from .costs import COSTS, Costs
from .knobs import OFF, Policy
from .locks import rank
from .port import SimPort
from .progress import Progress
from .steps import Slot, m_class
from .world import PATIENCE

if TYPE_CHECKING:
    from ..trace.trace import Trace

__all__ = ["LIKE", "SimResult", "simulate"]

LIKE = {"go": GO, "host": HOST, "host-gil": HOST_GIL}

ARGUMENTS = {"procs": PROCS, "seed": INT, "patience": whole(1), "invariants": whole(0)}


@dataclass(frozen=True, slots=True)
class SimResult:
    """What a simulation came to.

    Attributes:
        value: what main returned.
        now: virtual seconds elapsed.
        stats: how often what was done: "steps" of the scheduler and operations of G's, "spawns", "attempts" to steal,
            "steals" that succeeded, "handoffs" of P's, "ms" (M's), "slices" and "inherited" (G's run with a slice of
            their own, or in one that goes on).
    """

    value: Any
    now: float
    stats: Mapping[str, int] = field(default_factory=dict)
    recorder: Recorder | None = None

    @property
    def trace(self) -> Trace:
        """What happened.

        Raises:
            ValueError: it was run with `trace=False`.
        """
        if self.recorder is None:
            raise ValueError("this simulation was run with trace=False")
        return self.recorder.trace

    def digest(self) -> str:
        """sha256 of the trace: the same for the same program and seed, on every machine and Python.

        Raises:
            ValueError: it was run with `trace=False`, or the recorder was full and dropped the oldest events, so that
                this would not be about the whole run.
        """
        trace = self.trace
        if dropped := trace.metadata["dropped"]:
            raise ValueError(
                f"the recording is not whole: {dropped} events were dropped, {len(trace)} kept; "
                "pass trace=mpg.trace.Recorder(limit=...) with a larger limit, or take the digest of `.trace`"
            )
        return trace.digest()


def simulate(
    main: Callable[..., Any],
    *args: Any,
    procs: int = 4,
    seed: int = 0,
    like: str | Capabilities = "go",
    costs: str | Costs | None = None,
    policy: Policy | None = None,
    trace: bool | str | PathLike[str] | Recorder = True,
    deadlock: bool = True,
    patience: int = PATIENCE,
    progress: bool | None = None,
    invariants: int = 0,
) -> SimResult:
    """Run `main(*args)` on `procs` virtual P's in virtual time; the same program and seed give the same run.

    Args:
        main: an ordinary mpg program: channels, select, sync, timers, `go`, `mpg.work` and `mpg.stall`.
        procs: at most 65,536; thousands take their time, as every P is looked at again and again.
        seed: of all random choices, the scheduler's and those of `mpg.sim.rng()`.
        like: "go" (Go as it is: stacks move between M's), "host" or "host-gil" (what `mpg.run` does on a
            free-threaded build, and on one with a GIL), or a record of capabilities, such as
            `dataclasses.replace(mpg.sim.GO, stacks_move=False)`.
        costs: what the scheduler's steps take: "zero", "go", "cpython" or a `Costs`. Default: "go" for
            like="go", else "cpython".
        policy: other decisions than Go's.
        trace: record what happens, for `.trace` of the result: into a `mpg.trace.Recorder` if one is given, and
            into a file if a path is, however it ends (SIGTERM, on the main thread, then raises SystemExit(143)). An
            exception that comes out has it as its attribute `trace`.
        deadlock: raise DeadlockError when nothing can run any more.
        patience: how many steps may pass without any virtual time passing.
        progress: say on stderr every second how far it is. Default: after three seconds, if that is a terminal.
        invariants: check those of `mpg.explorer` at every so-manieth step and operation, and at every so-manieth
            moment when time passes and no M is inside the scheduler; 1 is each, 0 none. For the development of the
            scheduler: a check looks at everything.

    Raises:
        RuntimeError: inside a run or another simulation.
        TypeError, ValueError: bad arguments.
        SimulationError: the program asks for what virtual time has no meaning for, or does not advance.
        DeadlockError: all G's are asleep.
        OSError: the file for the trace cannot be written.
        Exception: what main or any other G raised and did not handle; a note names the G and the virtual time.
    """
    if tls.m is not PLAIN:
        raise RuntimeError("mpg.simulate inside a run: call it from an ordinary thread")
    if not callable(main):
        raise TypeError(f"mpg.simulate needs a function, not {type(main).__name__}")
    given = {"procs": procs, "seed": seed, "patience": patience, "invariants": invariants}
    check_arguments(ARGUMENTS, given)
    if not isinstance(policy, (Policy, type(None))):
        raise TypeError(f"policy is a mpg.sim.Policy, not {type(policy).__name__}")
    policy = policy or Policy()
    port = SimPort(capabilities(like, policy), chosen_costs(like, costs), seed, patience=patience)
    port.retry_rate = policy.retry_rate
    port.looks_everywhere = policy.recheck and policy.victims == "scan"
    meter = Progress(port, progress)
    if meter.wanted:
        port.watch = meter
    if invariants:
        from ..explorer.invariants import LockOrder, check, check_step

        port.check, port.check_step, port.order = (
            check,
            check_step,
            LockOrder(lambda lock: rank(port.sched, lock)),
        )
        port.check_every = invariants
    context = copy_context()
    recorder, path = recorder_for(trace, kept=True)
    metadata = {
        "world": "sim-moving" if port.caps.stacks_move else "sim-pinned",
        "clock": "virtual",
        "procs": procs,
        "gil": not port.caps.parallel,
        "seed": seed,
        "like": like if isinstance(like, str) else asdict(like),
        "costs": named_costs(like, costs),
        "policy": asdict(policy),
    }

    def world() -> None:
        port.hub = getcurrent()
        tls.m = port.outside
        sched, m0 = boot(
            port, procs, main, args, context, prepare=partial(prepare, port, policy, recorder, metadata)
        )
        sched.allp[0].schedtick = policy.phase
        sched.detect_deadlock = deadlock

        def m0_main(mp: Any) -> None:
            schedule(mp)
            drop_fresh(sched)
            end_m(mp)

        port.start_m(m0, m0_main)
        if policy.sysmon:
            start_sysmon(sched)
        port.world_loop()

    try:
        try:
            with terminable(path is not None):
                greenlet(world).switch()
        except BaseException as exc:
            add_place(port, exc)
            if recorder is not None:  # the world itself broke: no M has come to its end
                recorder.metadata["unfinished"] = True
            raise
        finally:
            tls.m = PLAIN
            meter.clear()
            if recorder is not None:
                recorder.end()
        sched = port.sched
        try:
            value = outcome(sched)
        except BaseException as exc:
            if sched.failed_g is sched.main and sched.main is not None:
                exc.add_note(f"in goroutine {sched.main.id} ({sched.main.name})")
            add_place(port, exc)
            raise
        result = SimResult(value, ((port.ended or port.time) - 1) / 1e9, stats(sched, port), recorder)
    except BaseException as exc:
        if recorder is not None:
            recorder.attach(exc)
            save(recorder, path)
        raise
    if recorder is not None and (unsaved := save(recorder, path)) is not None:
        raise unsaved
    return result


def add_place(port: SimPort, exc: BaseException) -> None:
    exc.add_note(f"at virtual time {(port.time - 1) / 1e9:.9f} s of the simulation")


def capabilities(like: str | Capabilities, policy: Policy) -> Capabilities:
    """What the world can do, as `like` says, changed by `policy`."""
    if isinstance(like, Capabilities):
        caps = like
    elif isinstance(like, str) and like in LIKE:
        caps = LIKE[like]
    else:
        raise ValueError(f"like is one of {', '.join(LIKE)}, or Capabilities, not {like!r}")
    if policy.wake_on_ready is not None:
        caps = replace(caps, eager_wakep=policy.wake_on_ready)
    if policy.steal == "one":
        caps = replace(caps, steal_one=True)
    return caps


def chosen_costs(like: str | Capabilities, costs: str | Costs | None) -> Costs:
    if isinstance(costs, Costs):
        return costs
    if costs is None:
        return COSTS["go" if like == "go" else "cpython"]
    if not isinstance(costs, str) or costs not in COSTS:
        raise ValueError(f"costs is one of {', '.join(COSTS)}, or Costs, not {costs!r}")
    return COSTS[costs]


def named_costs(like: str | Capabilities, costs: str | Costs | None) -> str | dict[str, Any]:
    """For the metadata of a trace: the name, or what each step takes."""
    if isinstance(costs, Costs):
        return asdict(costs)
    return costs or ("go" if like == "go" else "cpython")


def prepare(
    port: SimPort, policy: Policy, recorder: Recorder | None, metadata: dict[str, Any], sched: Sched
) -> None:
    """Set the knobs of a new Sched."""
    port.sched = sched
    if recorder is not None:
        recorder.begin(sched, metadata, shared=True)
        if not recorder.sites:
            recorder.name_of = partial(name_of, recorder)  # type: ignore[method-assign]
    sched.new_m_object = m_class(
        movable=port.caps.stacks_move,
        one_victim=policy.victims == "one",
        lifo=policy.local == "lifo",
        runnext=policy.runnext,
    )
    if not policy.runnext:
        sched.new_p = NoRunnextP
    sched.fair_tick = policy.global_tick
    sched.slice_ns = OFF if policy.slice is None else int(policy.slice * 1e9)
    sched.spin_share = policy.spinning
    sched.recheck = policy.recheck
    sched.stall_report_ns = 0
    sched.never = FOREVER


def name_of(recorder: Recorder, gp: Any, code: Any) -> int:
    """The string index of a G's name; of a lambda too it says nothing about where its source lies."""
    own = gp._name is not None and gp._name != func_name(gp.fn)
    index = recorder.string(gp._name if own else func_name(gp.fn, line=False))
    if code is not None and gp._name is None:
        recorder.names[code] = index
    return index


class NoRunnextP(P):
    """Policy.runnext == False."""

    __slots__ = ()

    def __init__(self, sched: Sched, pid: int) -> None:
        super().__init__(sched, pid)
        self.runnext = Slot()
        self.runnext.pp = self


def stats(sched: Sched, port: SimPort) -> Mapping[str, int]:
    return {
        "steps": port.steps,
        **port.stats,
        "handoffs": sched.handoffs,
        "ms": len(sched.allm),
        "slices": sum(pp.schedtick for pp in sched.allp),
        "inherited": sum(pp.nexttick for pp in sched.allp),
    }
