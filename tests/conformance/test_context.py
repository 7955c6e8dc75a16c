"""contextvars: each G has a context of its own, a copy of that in which go was called."""

from __future__ import annotations

from contextvars import ContextVar, copy_context

from conformance.worlds import World, join_all, park

import mpg

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
