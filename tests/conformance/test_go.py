"""go, what a G tells about itself, and how a run begins, goes on and ends."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import Any

import pytest
from conformance.worlds import KINDS, World, check_order, is_parked, join_all, park, until

import mpg

HERE = __file__


def line_of(fn: Any, offset: int = 0) -> str:
    """`file:line` so many lines below the `def` of `fn`."""
    return f"{HERE}:{fn.__code__.co_firstlineno + offset}"


def stuck(*finally_calls: Callable[[], object]) -> None:
    """Wait for ever; call these while the stack is unwound."""
    try:
        mpg.Chan().recv()
    finally:
        for call in finally_calls:
            call()


# go


def test_go_runs_a_function_with_its_arguments(world: World) -> None:
    def main() -> None:
        got: list[Any] = []

        def fn(*args: Any, **kwargs: Any) -> str:
            got.append((args, kwargs))
            return "dropped"

        for g in (mpg.go(fn), mpg.go(fn, 1, "b"), mpg.go(fn, 2, c=3), mpg.go(fn, fn=4)):
            assert isinstance(g, mpg.G)
            assert g.join() is None  # type: ignore[func-returns-value]
        assert sorted(got, key=repr) == sorted(
            [((), {}), ((1, "b"), {}), ((2,), {"c": 3}), ((), {"fn": 4})], key=repr
        )

    world.run(main)


def test_go_of_what_is_no_function(world: World) -> None:
    def main() -> None:
        wrong: Any
        for wrong in (42, "print", None):
            with pytest.raises(TypeError):
                mpg.go(wrong)
        assert mpg.num_goroutine() == 1

    world.run(main)


def test_wrong_arguments_fail_in_the_g(world: World) -> None:
    def main() -> None:
        wrong: Any = mpg.sleep
        mpg.go(wrong, 1, 2, 3).join()

    with pytest.raises(TypeError):
        world.run(main)


def test_many_gs(world: World) -> None:
    def main() -> int:
        total = [0] * 2000

        def add(n: int) -> None:
            if n % 7 == 0:
                mpg.gosched()
            total[n] += n

        join_all([mpg.go(add, n) for n in range(2000)])
        return sum(total)

    assert world.run(main) == 1999 * 1000


def test_a_chain_of_gs(world: World) -> None:
    """Each starts the next: starting one inside another costs no stack."""

    def main() -> int:
        done: mpg.Chan[int] = mpg.Chan()

        def link(n: int) -> None:
            if n == 3000:
                done.send(n)
            else:
                mpg.go(link, n + 1)

        mpg.go(link, 0)
        return done.recv()

    assert world.run(main) == 3000


def test_a_g_may_recurse_deeply(world: World) -> None:
    def main() -> None:
        def deep(n: int) -> int:
            if n == 0:
                mpg.gosched()
                return 0
            return 1 + deep(n - 1)

        join_all([mpg.go(deep, 500) for _ in range(10)])

    world.run(main)


OUTSIDE: dict[str, Callable[[], object]] = {
    "go": lambda: mpg.go(print),
    "gosched": mpg.gosched,
    "goexit": mpg.goexit,
    "gomaxprocs": mpg.gomaxprocs,
    "WaitGroup.go": lambda: mpg.sync.WaitGroup().go(print),
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_what_needs_a_run(name: str) -> None:
    with pytest.raises(RuntimeError):
        OUTSIDE[name]()


def test_an_ordinary_thread_is_no_g() -> None:
    assert mpg.current_g() is None
    assert mpg.num_goroutine() == 0


# What a G tells


def test_ids(world: World) -> None:
    def main() -> None:
        me = mpg.current_g()
        assert me is not None
        assert me.id == 1
        seen: list[mpg.G | None] = []
        gs = [mpg.go(lambda: seen.append(mpg.current_g())) for _ in range(100)]
        join_all(gs)
        assert {id(g) for g in seen} == {id(g) for g in gs}
        ids = [g.id for g in gs]
        assert len({1, *ids}) == 101
        assert all(isinstance(goid, int) and goid > 1 for goid in ids)
        if world.procs == 1:
            assert ids == sorted(ids)
        assert mpg.current_g() is me

    world.run(main)


class Callme:
    def __call__(self) -> None:
        pass

    def method(self) -> None:
        pass


def test_names(world: World) -> None:
    def main() -> None:
        def local() -> None:
            pass

        first_lambda = lambda: None  # noqa: E731
        names: dict[Any, str] = {
            local: local.__qualname__,
            first_lambda: line_of(first_lambda),
            functools.partial(local): local.__qualname__,
            functools.partial(first_lambda): line_of(first_lambda),
            Callme(): "Callme",
            Callme().method: "Callme.method",
            Callme: "Callme",
            print: "print",
        }
        for fn, name in names.items():
            g = mpg.go(fn)
            assert g.name == name
            g.join()
            assert g.name == name, "it keeps its name when it is dead"

    world.run(main)


def test_a_name_can_be_given(world: World) -> None:
    def main() -> None:
        g = park(stuck)
        g.name = "the stuck one"
        assert g.name == "the stuck one"
        assert "the stuck one" in repr(g)

    world.run(main)


def test_the_name_of_main(world: World) -> None:
    def main() -> tuple[str, str]:
        me = mpg.current_g()
        assert me is not None
        return me.name, me.created

    anonymous = lambda: main()  # noqa: E731
    assert world.run(main) == (main.__qualname__, "")
    assert world.run(anonymous) == (line_of(anonymous), "")


def test_created_says_where_go_was_called(world: World) -> None:
    def main() -> None:
        start = main.__code__.co_firstlineno
        one = mpg.go(lambda: None)
        several = mpg.go(
            lambda: None,
        )
        wg = mpg.sync.WaitGroup()
        member = wg.go(lambda: None)
        wg.wait()
        got: mpg.Chan[mpg.G | None] = mpg.Chan()
        mpg.after_func(0, lambda: got.send(mpg.current_g()))
        late = got.recv()
        assert late is not None
        assert one.created == f"{HERE}:{start + 2}"
        assert several.created in [f"{HERE}:{start + 3 + i}" for i in range(3)]
        assert member.created == f"{HERE}:{start + 7}"
        assert late.created.startswith(HERE)

    world.run(main)


def test_statuses(world: World) -> None:
    def main() -> None:
        me = mpg.current_g()
        assert me is not None
        assert me.status == "running"
        ch: mpg.Chan[int] = mpg.Chan()
        g = mpg.go(ch.recv)
        assert g.status in ("runnable", "running", "waiting") if world.procs > 1 else g.status == "runnable"
        until(lambda: g.status == "waiting")
        assert g.waitreason == "chan receive"
        assert "chan receive" in repr(g)
        ch.send(1)
        g.join()
        assert g.status == "dead"
        assert "dead" in repr(g)

    world.run(main)


REASONS: dict[str, Callable[[], object]] = {
    "chan receive": lambda: mpg.Chan().recv(),
    "chan send": lambda: mpg.Chan().send(1),
    "select": lambda: mpg.select(mpg.recv_case(mpg.Chan()), mpg.recv_case(mpg.Chan())),
    "select (no cases)": mpg.select,
    "sleep": lambda: mpg.sleep(60),
}


@pytest.mark.parametrize("reason", REASONS)
def test_wait_reasons_are_in_the_words_of_go(world: World, reason: str) -> None:
    world.run(lambda: park(REASONS[reason], reason=reason).status)


# join


def test_join_waits_for_the_end(world: World) -> None:
    def main() -> None:
        gate: mpg.Chan[None] = mpg.Chan()
        g = park(gate.recv_ok)
        joined: list[int] = []
        gs = [park(lambda who=who: (g.join(), joined.append(who)), reason="join") for who in range(5)]
        assert joined == []
        gate.close()
        join_all(gs)
        assert sorted(joined) == list(range(5))
        g.join()
        g.join(timeout=0)

    world.run(main)


def test_join_with_a_timeout(world: World) -> None:
    def main() -> None:
        gate: mpg.Chan[None] = mpg.Chan()
        g = park(gate.recv_ok)
        for seconds in (0, -1, 0.002):
            before = mpg.now()
            with pytest.raises(TimeoutError):
                g.join(seconds)
            passed = mpg.now() - before
            if world.virtual:
                assert passed == pytest.approx(max(seconds, 0), abs=1e-12)
            else:
                assert passed >= seconds - 1e-9
        gate.close()
        g.join(60)
        assert g.status == "dead"

    world.run(main)


def test_join_without_an_end(world: World) -> None:
    def main() -> None:
        gate: mpg.Chan[None] = mpg.Chan()
        g = park(gate.recv_ok)
        gs = [park(g.join, seconds, reason="join") for seconds in (1e9, 1e300, float("inf"))]
        gate.close()
        join_all(gs)

    world.run(main)


@pytest.mark.parametrize(("bad", "error"), [(float("nan"), ValueError), ("1", TypeError)], ids=["NaN", "str"])
def test_join_for_what_is_no_time(world: World, bad: Any, error: type[Exception]) -> None:
    def main() -> None:
        gate: mpg.Chan[None] = mpg.Chan()
        g = park(gate.recv_ok)
        with pytest.raises(error):
            g.join(bad)
        gate.close()
        g.join()

    world.run(main)


def test_a_g_cannot_join_itself(world: World) -> None:
    def main() -> None:
        me = mpg.current_g()
        assert me is not None
        with pytest.raises(RuntimeError):
            me.join()

    world.run(main)


def test_join_after_goexit(world: World) -> None:
    world.run(lambda: mpg.go(mpg.goexit).join())


# gosched, goexit, num_goroutine, gomaxprocs


def test_gosched_lets_the_others_run(world: World) -> None:
    def main() -> None:
        flags: list[int] = []
        mpg.go(flags.append, 1)
        until(lambda: flags)  # nothing but gosched
        assert mpg.gosched() is None  # type: ignore[func-returns-value]

    world.run(main)


def test_goexit_runs_the_finally_blocks_and_nothing_else(world: World) -> None:
    def main() -> list[str]:
        log: list[str] = []

        def inner() -> None:
            try:
                mpg.goexit()
            finally:
                log.append("inner")

        def outer() -> None:
            try:
                inner()
                log.append("never")
            except Exception:
                log.append("never")
            finally:
                mpg.gosched()  # blocking is allowed here
                log.append("outer")

        mpg.go(outer).join()
        return log

    assert world.run(main) == ["inner", "outer"]


def test_goexit_of_main_leaves_the_others_running(world: World) -> None:
    log: list[object] = []

    def main() -> None:
        def other() -> None:
            mpg.sleep(0.001)
            mpg.go(log.append, "grandchild").join()
            log.append("child")

        mpg.go(other)
        try:
            mpg.goexit()
        finally:
            log.append("finally")

    with pytest.raises(mpg.DeadlockError) as caught:
        world.run(main)
    assert str(caught.value) == "no goroutines (main called runtime.Goexit) - deadlock!"
    assert log == ["finally", "grandchild", "child"]


def test_a_failure_after_goexit_of_main(world: World) -> None:
    def main() -> None:
        def fail() -> None:
            mpg.sleep(0.001)
            raise KeyError("later")

        mpg.go(fail)
        mpg.goexit()

    with pytest.raises(KeyError, match="later"):
        world.run(main)


def test_num_goroutine(world: World) -> None:
    def main() -> None:
        assert mpg.num_goroutine() == 1
        gate: mpg.Chan[None] = mpg.Chan()
        gs = [mpg.go(gate.recv_ok) for _ in range(10)]
        assert mpg.num_goroutine() == 11, "started or not"
        until(lambda: all(map(is_parked, gs)))
        assert mpg.num_goroutine() == 11
        gate.close()
        join_all(gs)
        assert mpg.num_goroutine() == 1

    world.run(main)


def test_gomaxprocs_tells(world: World) -> None:
    def main() -> None:
        assert mpg.gomaxprocs() == world.procs
        assert mpg.gomaxprocs(0) == world.procs
        assert mpg.gomaxprocs(world.procs) == world.procs

    world.run(main)


@pytest.mark.parametrize("sizes", [(8, 2, 1, 5), (1, 7, 1), (2, 1, 2, 1, 16)], ids=str)
def test_gomaxprocs_changes(world: World, sizes: tuple[int, ...]) -> None:
    def main() -> None:
        done: list[int] = []

        def work(n: int) -> None:
            for _ in range(3):
                mpg.gosched()
            mpg.sleep(0.0001)
            done.append(n)

        before, gs = world.procs, []
        for size in sizes:
            assert mpg.gomaxprocs(size) == before
            assert mpg.gomaxprocs() == size
            before = size
            gs += [mpg.go(work, n) for n in range(20)]
            mpg.gosched()
        join_all(gs)
        assert sorted(done) == sorted([*range(20)] * len(sizes))

    world.run(main)


def test_gomaxprocs_while_gs_wait(world: World) -> None:
    """Those who wait when the number shrinks lose nothing: neither their place, nor their timers."""

    def main() -> None:
        mpg.gomaxprocs(4)
        ch: mpg.Chan[int] = mpg.Chan()
        got: list[int] = []
        gs = [park(lambda: got.append(ch.recv())) for _ in range(4)]
        gs += [park(mpg.sleep, 0.001 * n, reason="sleep") for n in (1, 2, 3)] if world.virtual else []
        timers = [mpg.after(0.001 * n) for n in (1, 2, 3)]
        mpg.after_func(0.002, ch.send, -1)
        mpg.gomaxprocs(1)
        for item in range(3):
            ch.send(item)
        for timer in timers:
            timer.recv()
        join_all(gs)
        assert sorted(got) == [-1, 0, 1, 2]

    world.run(main)


@pytest.mark.parametrize("bad", [-1, "2", 1.5, None], ids=repr)
def test_gomaxprocs_of_a_bad_number(world: World, bad: Any) -> None:
    def main() -> None:
        with pytest.raises((ValueError, TypeError)):
            mpg.gomaxprocs(bad)
        assert mpg.gomaxprocs() == world.procs

    world.run(main)


# contextvars

VAR: ContextVar[str] = ContextVar("VAR", default="nobody's")


def test_a_g_inherits_the_context_at_go(world: World) -> None:
    def main() -> None:
        seen: mpg.Chan[str] = mpg.Chan(2)

        def look(text: str) -> None:
            seen.send(VAR.get())
            VAR.set(text)
            mpg.gosched()
            seen.send(VAR.get())

        VAR.set("main's")
        g = mpg.go(look, "its own")
        VAR.set("main's later one")
        g.join()
        assert [seen.recv(), seen.recv()] == ["main's", "its own"]
        assert VAR.get() == "main's later one"

    world.run(main)


def test_contexts_do_not_mix(world: World) -> None:
    def main() -> None:
        def turn(text: str) -> None:
            token = VAR.set(text)
            for _ in range(5):
                mpg.gosched()
                assert VAR.get() == text
            mpg.sleep(0.0001)
            assert VAR.get() == text
            VAR.reset(token)
            assert VAR.get() == "main's"

        VAR.set("main's")
        join_all([mpg.go(turn, str(n)) for n in range(10)])

    world.run(main)


def test_the_context_of_main_is_a_copy_of_the_caller_s(world: World) -> None:
    def main() -> str:
        before = VAR.get()
        VAR.set("main's")
        return before

    def caller() -> None:
        VAR.set("the caller's")
        assert world.run(main) == "the caller's"
        assert VAR.get() == "the caller's"

    copy_context().run(caller)


def test_context_run_across_a_switch(world: World) -> None:
    def main() -> None:
        ch: mpg.Chan[str] = mpg.Chan()
        own = copy_context()
        own.run(VAR.set, "inner")
        VAR.set("outer")

        def inside() -> None:
            assert VAR.get() == "inner"
            ch.recv()
            assert VAR.get() == "inner"

        def outside() -> None:
            own.run(inside)
            assert VAR.get() == "outer"

        g = park(outside)
        assert VAR.get() == "outer"
        ch.send("")
        g.join()

    world.run(main)


def test_after_func_inherits_the_context_too(world: World) -> None:
    def main() -> None:
        seen: mpg.Chan[str] = mpg.Chan()
        VAR.set("then")
        mpg.after_func(0.0005, lambda: seen.send(VAR.get()))
        VAR.set("now")
        assert seen.recv() == "then"

    world.run(main)


# run


def test_run_returns_what_main_returns(world: World) -> None:
    thing = object()
    assert world.run(lambda: thing) is thing
    assert world.run(lambda: None) is None
    assert world.run(divmod, 17, 5) == (3, 2)


def test_run_after_run(world: World) -> None:
    def main(n: int) -> int:
        ch: mpg.Chan[int] = mpg.Chan()
        mpg.go(ch.send, n)
        park(stuck)
        return ch.recv()

    assert [world.run(main, n) for n in range(5)] == list(range(5))


def test_no_run_within_a_run(world: World) -> None:
    def main() -> None:
        def again() -> None:
            for run in (mpg.run, mpg.simulate):
                with pytest.raises(RuntimeError):
                    run(lambda: 1)

        again()
        mpg.go(again).join()
        assert mpg.num_goroutine() == 1

    world.run(main)


def test_run_on_another_thread(world: World) -> None:
    results: list[object] = []
    threads = [threading.Thread(target=lambda n=n: results.append(world.run(lambda: n))) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results, key=repr) == [0, 1, 2]


@pytest.mark.parametrize("kind", KINDS)
def test_run_of_what_is_no_function(kind: str) -> None:
    wrong: Any
    for wrong in (42, None, "main"):
        with pytest.raises(TypeError):
            World(kind, 1).run(wrong)
    assert World(kind, 1).run(lambda: 1) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("procs", [0, -1, 1.5, "2"], ids=repr)
def test_run_on_a_bad_number_of_ps(kind: str, procs: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        World(kind, procs).run(lambda: 1)
    assert mpg.current_g() is None


# Failures


class Odd(BaseException):
    """Not even an Exception."""


@pytest.mark.parametrize("kind", [KeyError, Odd, SystemExit])
def test_an_exception_of_main_comes_out_of_run(world: World, kind: type[BaseException]) -> None:
    error = kind("mine")

    def main() -> None:
        raise error

    with pytest.raises(kind) as caught:
        world.run(main)
    assert caught.value is error
    notes = getattr(error, "__notes__", [])
    if world.virtual:  # where in virtual time, which the traceback does not say
        assert notes[0].startswith("in goroutine 1 (")
        assert notes[1].startswith("at virtual time 0.0")
    else:
        assert notes == []


@pytest.mark.parametrize("kind", [KeyError, Odd, SystemExit])
def test_an_exception_of_a_g_ends_the_run(world: World, kind: type[BaseException]) -> None:
    """It says which G raised it, and where that was created."""
    error = kind("its")
    ids = []

    def fail() -> None:
        me = mpg.current_g()
        assert me is not None
        ids.append(me.id)
        mpg.gosched()
        raise error

    def main() -> None:
        mpg.go(fail)
        stuck()

    with pytest.raises(kind) as caught:
        world.run(main)
    assert caught.value is error
    note, *more = error.__notes__
    assert note == f"in goroutine {ids[0]} ({fail.__qualname__}), created at {line_of(main, 1)}"
    assert [text.partition(" 0.")[0] for text in more] == ["at virtual time"] * world.virtual
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    assert frame is not None
    assert frame.tb_frame.f_code is fail.__code__, "the traceback leads to the line that raised"


def test_an_exception_that_is_handled_ends_nothing(world: World) -> None:
    def main() -> str:
        def fail() -> None:
            with contextlib.suppress(KeyError):
                mpg.gosched()
                raise KeyError

        join_all([mpg.go(fail) for _ in range(5)])
        return "done"

    assert world.run(main) == "done"


def test_only_the_first_failure_counts(world: World) -> None:
    def fail_too() -> None:
        raise ValueError("second")

    def main() -> None:
        park(stuck, fail_too)
        park(stuck, fail_too)
        raise KeyError("first")

    with pytest.raises(KeyError, match="first"):
        world.run(main)


def test_the_exception_in_flight_is_each_g_s_own(world: World) -> None:
    def main() -> None:
        def handle(who: int) -> None:
            error = KeyError(who)
            try:
                raise error
            except KeyError:
                for _ in range(3):
                    mpg.gosched()
                    with pytest.raises(ValueError) as inner:
                        int("no number")
                    assert inner.value.__context__ is error

        join_all([mpg.go(handle, who) for who in range(5)])

    world.run(main)


# The end of a run


def test_main_returns_and_the_finally_blocks_of_the_others_run(world: World) -> None:
    log: list[int] = []

    def main() -> str:
        for who in range(10):
            park(stuck, lambda who=who: log.append(who))
        return "main's"

    assert world.run(main) == "main's"
    assert sorted(log) == list(range(10))


def test_the_finally_blocks_run_in_the_order_of_creation(one_p: World) -> None:
    def main() -> list[int]:
        log: list[int] = []
        gs = [mpg.go(stuck, lambda who=who: log.append(who)) for who in range(6)]
        until(lambda: all(map(is_parked, gs)))
        return log

    check_order(one_p, main, [0, 1, 2, 3, 4, 5])


REASONS_TO_WAIT: dict[str, Callable[[], object]] = {
    **REASONS,
    "join": lambda: park(stuck).join(),
    "timer": lambda: mpg.Timer(60).chan.recv(),
    "timeout": lambda: mpg.select(mpg.recv_case(mpg.Chan()), timeout=60),
    "sync.WaitGroup.Wait": lambda: [(wg.add(1), wg.wait()) for wg in [mpg.sync.WaitGroup()]],
    "sync.Mutex.Lock": lambda: [(m.lock(), m.lock()) for m in [mpg.sync.Mutex()]],
    "sync.RWMutex.Lock": lambda: [(rw.rlock(), rw.lock()) for rw in [mpg.sync.RWMutex()]],
    "sync.RWMutex.RLock": lambda: [(rw.lock(), rw.rlock()) for rw in [mpg.sync.RWMutex()]],
    "sync.Cond.Wait": lambda: [(m.lock(), mpg.sync.Cond(m).wait()) for m in [mpg.sync.Mutex()]],
    "semacquire": lambda: mpg.sync.Semaphore(0).acquire(),
}


@pytest.mark.parametrize("reason", REASONS_TO_WAIT)
def test_whatever_a_g_waits_for_its_finally_block_runs(world: World, reason: str) -> None:
    log: list[str] = []

    def waiter() -> None:
        try:
            REASONS_TO_WAIT[reason]()
        except Exception:
            log.append("an error")
        except mpg.Unwind:
            log.append("unwound")
            raise
        finally:
            log.append("finally")

    def main() -> None:
        park(waiter)

    world.run(main)
    assert log == ["unwound", "finally"]


def test_gs_that_run_are_unwound_at_their_next_operation(world: World) -> None:
    log: list[str] = []

    def busy() -> None:
        log.append("begun")
        try:
            while True:
                mpg.gosched()
        finally:
            log.append("finally")

    def main() -> None:
        for _ in range(3):
            mpg.go(busy)
        until(lambda: len(log) == 3)

    world.run(main)
    assert log == ["begun"] * 3 + ["finally"] * 3


def test_gs_that_have_not_begun_are_dropped(one_p: World) -> None:
    def main() -> list[int]:
        log: list[int] = []
        for who in range(300):
            mpg.go(log.append, who)
        return log

    check_order(one_p, main, [])


def test_a_g_that_parks_in_its_finally(world: World) -> None:
    """The park raises again, and so does the next: the outer blocks run all the same."""
    log: list[str] = []

    def main() -> None:
        def stubborn() -> None:
            try:
                try:
                    stuck(lambda: log.append("first"))
                finally:
                    log.append("second")
                    mpg.Chan().recv()
                    log.append("never")
            finally:
                log.append("third")
                try:
                    mpg.sleep(60)
                except Exception:
                    log.append("never")
                finally:
                    log.append("fourth")

        park(stubborn)

    world.run(main)
    assert log == ["first", "second", "third", "fourth"]


def test_a_g_that_swallows_its_end(world: World) -> None:
    """One that goes on after it has been unwound gets the same at its next park, and ends when it returns."""
    log: list[int] = []

    def main() -> None:
        def stubborn() -> None:
            for lap in range(20):
                with contextlib.suppress(mpg.Unwind):
                    mpg.Chan().recv()
                log.append(lap)

        park(stubborn)

    world.run(main)
    assert log == list(range(20))


def test_a_g_that_never_gives_up_is_abandoned(host: World) -> None:
    laps = 0

    def main() -> str:
        def stubborn() -> None:
            nonlocal laps
            while True:
                with contextlib.suppress(mpg.Unwind):
                    mpg.Chan().recv()
                laps += 1

        park(stubborn).name = "the stubborn one"
        return "main's"

    with pytest.warns(ResourceWarning, match="the stubborn one"):
        assert host.run(main) == "main's"
    assert laps == 100


def test_finally_blocks_may_use_what_does_not_wait(world: World) -> None:
    def main() -> list[object]:
        log: list[object] = []
        ch: mpg.Chan[int] = mpg.Chan(5)
        m = mpg.sync.Mutex()

        def tidy() -> None:
            with m:
                ch.send(1)
                log.append(ch.recv())
            log.append(ch.try_recv().ok)
            ch.close()

        park(stuck, tidy)
        return log

    assert world.run(main) == [1, False]


def test_go_in_a_finally_block_starts_nothing(world: World) -> None:
    def main() -> list[int]:
        log: list[int] = []
        park(stuck, lambda: mpg.go(log.append, 1))
        return log

    assert world.run(main) == []


def test_no_thread_is_left_behind(world: World) -> None:
    before = set(threading.enumerate())

    def main() -> None:
        for _ in range(20):
            mpg.go(stuck)
        mpg.gosched()

    for _ in range(5):
        world.run(main)
    assert set(threading.enumerate()) <= before
