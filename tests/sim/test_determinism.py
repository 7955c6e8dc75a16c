"""The same run everywhere: in every process, recorded or not, checked or not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sim.worlds import LIKES, simulate

import mpg
from mpg.current import tls

PROGRAM = """
import mpg
def main():
    rng = mpg.sim.rng()
    ch = mpg.Chan(2)
    wg = mpg.sync.WaitGroup()
    def worker(i):
        for _ in range(20):
            mpg.work(rng.random() * 1e-3)
            mpg.select(mpg.send_case(ch, i), mpg.recv_case(ch))
    for i in range(10):
        wg.go(worker, i)
    wg.wait()
for like in ("go", "host", "host-gil"):
    print(mpg.simulate(main, procs=3, seed=7, like=like).digest())
"""
KNOWN = Path(__file__).parent / "digests.txt"


def test_the_same_digest_in_every_process() -> None:
    found = set()
    for seed in ("0", "1", "random"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, timeout=60, check=True
        )
        found.add(done.stdout)
    assert len(found) == 1
    assert found.pop() == KNOWN.read_text()  # what every Python gets; changes with the scheduler or the costs


def test_another_seed_is_another_run() -> None:
    def main() -> None:
        wg = mpg.sync.WaitGroup()
        for _ in range(50):
            wg.go(mpg.work, mpg.sim.rng().random() / 1000)
        wg.wait()

    digests = {simulate(main, seed=seed).digest() for seed in (1, 2, 1, 2)}
    assert len(digests) == 2


def test_tracing_changes_nothing() -> None:
    def main() -> None:
        wg = mpg.sync.WaitGroup()
        for _ in range(50):
            wg.go(mpg.work, mpg.sim.rng().random() / 1000)
        wg.wait()

    for like in LIKES:
        on, off = (simulate(main, like=like, trace=trace) for trace in (True, False))
        assert (on.now, on.stats) == (off.now, off.stats)
    with pytest.raises(ValueError, match="trace=False"):
        off.trace


@pytest.mark.parametrize("like", LIKES)
def test_the_invariants_hold(like: str) -> None:
    def main() -> None:
        rng = mpg.sim.rng()
        ch = mpg.Chan[int](2)
        wg = mpg.sync.WaitGroup()

        def worker(i: int) -> None:
            for _ in range(10):
                mpg.work(rng.random() * 1e-3)
                if rng.random() < 0.3:
                    mpg.sleep(rng.random() * 1e-3)
                mpg.select(mpg.send_case(ch, i), mpg.recv_case(ch))
                if rng.random() < 0.2:
                    with mpg.blocking():
                        mpg.stall(rng.random() * 1e-3)

        for i in range(20):
            wg.go(worker, i)
        wg.wait()

    for procs in (1, 3):
        for seed in range(5):
            on, off = (
                simulate(main, procs=procs, seed=seed, like=like, costs="zero", invariants=every)
                for every in (1, 0)
            )
            assert on.digest() == off.digest()


def test_a_broken_invariant_is_seen() -> None:
    def main() -> None:
        tls.m.sched.npidle += 1
        mpg.work(0.001)

    with pytest.raises(mpg.explorer.InvariantError, match="said to be idle"):
        simulate(main, invariants=1)


def test_the_invariants_hold_at_scale() -> None:
    def main() -> None:
        wg = mpg.sync.WaitGroup()
        for _ in range(20_000):
            wg.go(mpg.work, mpg.sim.rng().random() * 1e-3)
        wg.wait()

    assert simulate(main, procs=256, invariants=5_000, trace=False).stats["spawns"] >= 20_000


def test_progress(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from mpg.sim import progress

    def main() -> None:
        mpg.work(1)

    monkeypatch.setattr(progress, "EVERY", 0.0)
    result = simulate(main, procs=1, progress=True)
    err = capsys.readouterr().err
    assert "G's made" in err
    assert err.endswith("\r")
    assert simulate(main, procs=1).digest() == result.digest()
    assert capsys.readouterr().err == ""
