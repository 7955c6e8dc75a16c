"""Whole programs made of G's and channels whose result is known."""

from __future__ import annotations

import random
from collections.abc import Iterable
from math import comb, factorial

import pytest
from conformance.worlds import World, join_all

import mpg
from mpg import recv_case, select, send_case


def primes(count: int) -> list[int]:
    """The prime sieve: a chain of filters that grows by one G for each prime."""

    def generate(out: mpg.Chan[int]) -> None:
        number = 2
        while True:
            out.send(number)
            number += 1

    def sift(prime: int, numbers: mpg.Chan[int], out: mpg.Chan[int]) -> None:
        while True:
            number = numbers.recv()
            if number % prime:
                out.send(number)

    ch = mpg.Chan[int]()
    mpg.go(generate, ch)
    found = []
    for _ in range(count):
        prime = ch.recv()
        found.append(prime)
        out = mpg.Chan[int]()
        mpg.go(sift, prime, ch, out)
        ch = out
    return found


def test_prime_sieve(world: World) -> None:
    assert world.run(primes, 20) == [
        2,
        3,
        5,
        7,
        11,
        13,
        17,
        19,
        23,
        29,
        31,
        37,
        41,
        43,
        47,
        53,
        59,
        61,
        67,
        71,
    ]


def test_chain_of_ten_thousand(world: World) -> None:
    """A number passes through a chain of G's each of which adds one: as deep as it is long, on no stack."""

    def main(links: int) -> int:
        def link(left: mpg.Chan[int], right: mpg.Chan[int]) -> None:
            left.send(1 + right.recv())

        leftmost = left = mpg.Chan[int]()
        for _ in range(links):
            right = mpg.Chan[int]()
            mpg.go(link, left, right)
            left = right
        mpg.go(left.send, 0)
        return leftmost.recv()

    assert world.run(main, 10_000) == 10_000


def fan(producers: int, consumers: int, each: int, cap: int) -> None:
    """Many producers, many consumers: nothing lost, nothing doubled, each producer's items in their order."""
    ch = mpg.Chan[tuple[int, int]](cap)
    got: list[list[tuple[int, int]]] = [[] for _ in range(consumers)]
    wg = mpg.sync.WaitGroup()

    def produce(who: int) -> None:
        for i in range(each):
            ch.send((who, i))

    def consume(items: list[tuple[int, int]]) -> None:
        items.extend(ch)

    for who in range(producers):
        wg.go(produce, who)
    gs = [mpg.go(consume, items) for items in got]
    wg.wait()
    ch.close()
    join_all(gs)
    everything = [item for items in got for item in items]
    assert sorted(everything) == [(who, i) for who in range(producers) for i in range(each)]
    for items in got:
        for who in range(producers):
            mine = [i for producer, i in items if producer == who]
            assert mine == sorted(mine)


@pytest.mark.parametrize("cap", [0, 1, 16])
@pytest.mark.parametrize(("producers", "consumers"), [(1, 8), (8, 1), (6, 6)])
def test_producers_and_consumers(world: World, producers: int, consumers: int, cap: int) -> None:
    world.run(lambda: fan(producers, consumers, 40, cap))


@pytest.mark.parametrize("cap", [0, 1, 5])
def test_random_bits(world: World, cap: int) -> None:
    """The receiver hears both sides of a coin that the sender's select tosses."""

    def main() -> set[int]:
        ch = mpg.Chan[int](cap)

        def toss() -> None:
            for _ in range(60):
                select(send_case(ch, 0), send_case(ch, 1))
            ch.close()

        mpg.go(toss)
        bits = list(ch)
        assert len(bits) == 60
        return set(bits)

    assert world.run(main) == {0, 1}


def test_work_is_returned_over_a_second_channel(world: World) -> None:
    """Workers take from one channel and give to another, both with fewer places than items; some yield."""

    def main() -> int:
        todo, done = mpg.Chan[int](3), mpg.Chan[int](2)

        def work(seed: int) -> None:
            rng = random.Random(seed)
            for number in todo:
                if rng.random() < 0.3:
                    mpg.gosched()
                done.send(number * number)

        wg = mpg.sync.WaitGroup()
        for seed in range(10):
            wg.go(work, seed)

        def feed() -> None:
            for number in range(200):
                todo.send(number)
            todo.close()
            wg.wait()
            done.close()

        mpg.go(feed)
        return sum(done)

    assert world.run(main) == sum(number * number for number in range(200))


def test_every_reply_reaches_its_caller(world: World) -> None:
    """Requests that carry their own reply channel, to a server that answers out of order."""

    def main() -> None:
        requests = mpg.Chan[tuple[int, mpg.Chan[int]]]()
        stop = mpg.Chan[None]()

        def serve() -> None:
            held: list[tuple[int, mpg.Chan[int]]] = []
            while True:
                index, request, _, _ = select(recv_case(requests), recv_case(stop))
                if index == 1:
                    return
                held.append(request)
                if len(held) == 4:
                    while held:
                        number, reply = held.pop()
                        reply.send(-number)

        def call(number: int) -> None:
            reply = mpg.Chan[int]()
            requests.send((number, reply))
            assert reply.recv() == -number

        server = mpg.go(serve)
        join_all([mpg.go(call, number) for number in range(40)])
        stop.close()
        server.join()

    world.run(main)


def test_ring(world: World) -> None:
    """A token goes round a ring of G's."""

    def main(members: int, rounds: int) -> int:
        chans = [mpg.Chan[int]() for _ in range(members)]

        def pass_on(i: int) -> None:
            for _ in range(rounds):
                chans[(i + 1) % members].send(chans[i].recv() + 1)

        for i in range(1, members):
            mpg.go(pass_on, i)
        token = 0
        for _ in range(rounds):
            chans[1].send(token + 1)
            token = chans[0].recv()
        return token

    assert world.run(main, 20, 15) == 300


Series = mpg.Chan  # the coefficients of a power series, one by one, for ever


def series(coefficients: Iterable[int]) -> Series[int]:
    """A G that sends these coefficients."""
    out = mpg.Chan[int]()

    def send() -> None:
        for coefficient in coefficients:
            out.send(coefficient)

    mpg.go(send)
    return out


def split(source: Series[int]) -> tuple[Series[int], Series[int]]:
    """Two series equal to `source`, whose readers need not keep step: select waits for either."""
    outs = (mpg.Chan[int](), mpg.Chan[int]())

    def copy() -> None:
        waiting: tuple[list[int], list[int]] = ([], [])
        while True:
            if not waiting[0] or not waiting[1]:
                coefficient = source.recv()
                for queue in waiting:
                    queue.append(coefficient)
            index = select(
                *(send_case(out, queue[0]) for out, queue in zip(outs, waiting, strict=True))
            ).index
            waiting[index].pop(0)

    mpg.go(copy)
    return outs


def product(f: Series[int], g: Series[int]) -> Series[int]:
    """With f = f0 + x f1 and likewise g: f g = f0 g0 + x (f0 g1 + g0 f1) + x**2 f1 g1, a G for each step."""
    out = mpg.Chan[int]()

    def multiply() -> None:
        f0, g0 = f.recv(), g.recv()
        out.send(f0 * g0)
        fs, gs = split(f), split(g)
        out.send(f0 * gs[0].recv() + g0 * fs[0].recv())
        rest = product(fs[1], gs[1])
        while True:
            out.send(f0 * gs[0].recv() + g0 * fs[0].recv() + rest.recv())

    mpg.go(multiply)
    return out


def test_power_series(world: World) -> None:
    """(1 / (1 - x)) ** 3, and the square of e**x with its n-th coefficient taken n! times (by 12!)."""

    def main() -> tuple[list[int], list[int]]:
        def ones() -> Iterable[int]:
            while True:
                yield 1

        def exponential() -> Iterable[int]:
            for n in range(12):
                yield factorial(12) // factorial(n)

        cube = product(product(series(ones()), series(ones())), series(ones()))
        square = product(series(exponential()), series(exponential()))
        return [cube.recv() for _ in range(8)], [square.recv() for _ in range(8)]

    cube, square = world.run(main)
    assert cube == [comb(n + 2, 2) for n in range(8)]
    assert square == [factorial(12) ** 2 * 2**n // factorial(n) for n in range(8)]


@pytest.mark.stress
@pytest.mark.usefixtures("fast_switches")
def test_stress_programs(host: World) -> None:
    def main(seed: int) -> None:
        rng = random.Random(seed)
        fan(rng.randint(1, 8), rng.randint(1, 8), 25, rng.choice([0, 0, 1, 3, 16]))
        assert primes(8)[-1] == 19

    for seed in range(300):
        host.run(main, seed)
