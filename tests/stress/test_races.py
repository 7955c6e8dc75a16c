"""Races hunted on real threads: eager M's, a switch interval of a microsecond, seeds printed.

On a GIL build M's are lazy by nature; `caps=HOST` makes them as eager as on a free-threaded one, so that G's
really start on several threads and wakes, steals and cancels cross.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter

import pytest
from stress.racing import rounds, run, seeded

import mpg
from mpg import recv_case, select, send_case

pytestmark = [pytest.mark.stress, pytest.mark.timeout(60)]


@pytest.mark.parametrize("cap", [0, 1, 7])
def test_producers_and_consumers(cap: int) -> None:
    def main() -> Counter[int]:
        ch, out = mpg.Chan[int](cap), mpg.Chan[list[int]](8)
        producers = mpg.sync.WaitGroup()

        def produce(k: int) -> None:
            for i in range(100):
                ch.send(k * 100 + i)

        def consume() -> None:
            out.send(list(ch))

        for k in range(8):
            producers.go(produce, k)
        for _ in range(8):
            mpg.go(consume)
        producers.wait()
        ch.close()
        got = Counter[int]()
        for _ in range(8):
            got.update(out.recv())
        return got

    for _ in rounds():
        assert run(main) == Counter(range(800))


def test_selects_over_shared_channels() -> None:
    rng = seeded()

    def main() -> tuple[int, int]:
        chans = [mpg.Chan[int](rng.choice([0, 0, 1, 3])) for _ in range(4)]
        done = mpg.Chan[None]()
        lock = mpg.sync.Mutex()
        total = [0, 0]
        senders = mpg.sync.WaitGroup()
        receivers = mpg.sync.WaitGroup()

        def send(k: int) -> None:
            mine = random.Random(k)
            for i in range(60):
                cases = [send_case(ch, i) for ch in mine.sample(chans, 3)]
                select(*cases)
                with lock:
                    total[0] += i

        def receive() -> None:
            got = 0
            while (found := select(*(recv_case(ch) for ch in chans), recv_case(done))).index < 4:
                got += found.value
            with lock:
                total[1] += got

        for _ in range(6):
            receivers.go(receive)
        for k in range(6):
            senders.go(send, rng.randrange(1 << 30) + k)
        senders.wait()
        rest = 0
        done.close()
        receivers.wait()
        for ch in chans:
            while (found := ch.try_recv()).ok:
                rest += found.value
        return total[0], total[1] + rest

    for _ in rounds():
        sent, received = run(main)
        assert sent == received


def test_timeouts_against_sends() -> None:
    """A value is received, or its sender keeps it: never neither, never both."""
    rng = seeded()

    def main() -> tuple[int, int]:
        ch = mpg.Chan[int]()
        wg = mpg.sync.WaitGroup()
        lock = mpg.sync.Mutex()
        counts = [0, 0]

        def work(side: int) -> None:
            ok = 0
            for _ in range(40):
                case = send_case(ch, 1) if side else recv_case(ch)
                ok += select(case, timeout=rng.random() * 2e-4).index == 0
            with lock:
                counts[side] += ok

        for i in range(12):
            wg.go(work, i % 2)
        wg.wait()
        return counts[0], counts[1]

    for _ in rounds():
        received, sent = run(main)
        assert received == sent


def test_close_against_everybody() -> None:
    def main() -> None:
        ch = mpg.Chan[int](2)
        wg = mpg.sync.WaitGroup()

        def send() -> None:
            try:
                while True:
                    select(send_case(ch, 1), send_case(None, 0))
            except mpg.PanicError:
                pass

        def receive() -> None:
            for _ in ch:
                pass

        for _ in range(6):
            wg.go(send)
            wg.go(receive)
        mpg.sleep(0.001)
        ch.close()
        wg.wait()

    for _ in rounds():
        run(main)


def test_locks_keep_their_promises() -> None:
    def main() -> None:
        mutex, rw, sem = mpg.sync.Mutex(), mpg.sync.RWMutex(), mpg.sync.Semaphore(3)
        state = {"mutex": 0, "writers": 0, "readers": 0, "sem": 0, "n": 0}
        wg = mpg.sync.WaitGroup()

        def work(k: int) -> None:
            for i in range(30):
                with mutex:
                    state["mutex"] += 1
                    assert state["mutex"] == 1
                    n = state["n"]
                    if i % 3 == 0:
                        mpg.gosched()
                    state["n"] = n + 1
                    state["mutex"] -= 1
                if (i + k) % 4 == 0:
                    with rw:
                        state["writers"] += 1
                        assert state["writers"] == 1
                        mpg.gosched()
                        state["writers"] -= 1
                else:
                    with rw.reading():
                        assert state["writers"] == 0
                with sem:
                    with mutex:
                        state["sem"] += 1
                        assert state["sem"] <= 3
                    with mutex:
                        state["sem"] -= 1

        for k in range(10):
            wg.go(work, k)
        wg.wait()
        assert state["n"] == 300

    for _ in rounds():
        run(main)


def test_cond_loses_no_signal() -> None:
    def main() -> int:
        lock = mpg.sync.Mutex()
        cond = mpg.sync.Cond(lock)
        items: list[int] = []
        taken = []
        wg = mpg.sync.WaitGroup()

        def take() -> None:
            for _ in range(20):
                with lock:
                    while not items:
                        cond.wait()
                    taken.append(items.pop())

        def put() -> None:
            for i in range(20):
                with lock:
                    items.append(i)
                cond.signal()

        for _ in range(5):
            wg.go(take)
            wg.go(put)
        wg.wait()
        return len(taken)

    for _ in rounds():
        assert run(main) == 100


def test_joins_and_fresh_gs() -> None:
    rng = seeded()

    def main() -> int:
        done = mpg.Chan[int](1)
        total = 0

        def leaf() -> None:
            if rng.random() < 0.3:
                mpg.gosched()

        def branch(k: int) -> None:
            gs = [mpg.go(leaf) for _ in range(k)]
            for g in gs:
                if rng.random() < 0.5:
                    try:
                        g.join(timeout=rng.random() * 1e-4)
                    except TimeoutError:
                        pass
                g.join()
                assert g.status == "dead"
            done.send(k)

        for k in range(20):
            mpg.go(branch, k)
        for _ in range(20):
            total += done.recv()
        return total

    for _ in rounds():
        assert run(main) == sum(range(20))


def test_sleepers_on_several_ms() -> None:
    rng = seeded()

    def main() -> None:
        wg = mpg.sync.WaitGroup()

        def sleeper() -> None:
            for _ in range(10):
                seconds = rng.random() * 1e-3
                before = mpg.now()
                mpg.sleep(seconds)
                assert mpg.now() - before >= seconds * 0.999

        for _ in range(40):
            wg.go(sleeper)
        wg.wait()

    for _ in rounds():
        run(main)


def test_calls_on_spare_threads() -> None:
    def main() -> int:
        wg = mpg.sync.WaitGroup()
        out = mpg.Chan[int](1000)

        def work(k: int) -> None:
            for i in range(5):
                out.send(mpg.to_thread(lambda: k * 5 + i))  # noqa: B023
                with mpg.blocking():
                    time.sleep(0)

        for k in range(40):
            wg.go(work, k)
        wg.wait()
        out.close()
        return sum(out)

    for _ in rounds():
        assert run(main) == sum(range(200))


def test_ordinary_threads_take_part() -> None:
    def main() -> int:
        there, back = mpg.Chan[int](), mpg.Chan[int](3)

        def plain() -> None:
            for value in there:
                back.send(value + 1)

        threads = [threading.Thread(target=plain) for _ in range(3)]
        for thread in threads:
            thread.start()

        def feed() -> None:
            for i in range(150):
                there.send(i)
            there.close()

        mpg.go(feed)
        total = sum(back.recv() for _ in range(150))
        for thread in threads:
            mpg.to_thread(thread.join)
        return total

    for _ in rounds():
        assert run(main) == sum(range(1, 151))


@pytest.mark.parametrize("how", ["value", "failure", "child"])
def test_the_end_comes_at_any_time(how: str) -> None:
    rng = seeded()
    unwound: list[int] = []

    def main() -> None:
        ch, full = mpg.Chan[int](), mpg.Chan[int](1)
        full.send(0)

        def stuck(k: int) -> None:
            try:
                if k % 4 == 0:
                    ch.recv()
                elif k % 4 == 1:
                    mpg.sleep(100)
                elif k % 4 == 2:
                    select(send_case(full, 1), recv_case(ch))
                else:
                    while True:
                        mpg.gosched()
            finally:
                unwound.append(k)

        for k in range(60):
            mpg.go(stuck, k)
            if rng.random() < 0.2:
                mpg.gosched()
        mpg.sleep(rng.random() * 1e-3)
        if how == "failure":
            raise KeyError(how)
        if how == "child":
            mpg.go([].index, 1)
            ch.recv()

    threads = threading.active_count()
    for _ in rounds():
        try:
            run(main)
        except (KeyError, ValueError):
            assert how != "value"
        assert threading.active_count() == threads


def test_gomaxprocs_changes_all_the_time() -> None:
    rng = seeded()

    def main() -> int:
        wg = mpg.sync.WaitGroup()
        done = mpg.Chan[int](10_000)

        def work(k: int) -> None:
            for _ in range(10):
                mpg.gosched()
                mpg.sleep(rng.random() * 1e-4)
            done.send(k)

        for k in range(60):
            wg.go(work, k)
        for _ in range(30):
            mpg.gomaxprocs(rng.randrange(1, 6))
            mpg.sleep(1e-4)
        wg.wait()
        return len(done)

    for _ in rounds():
        assert run(main) == 60


def test_sockets_are_closed_under_their_users() -> None:
    rng = seeded()

    def main() -> None:
        wg = mpg.sync.WaitGroup()
        with mpg.net.listen("127.0.0.1:0") as listener:

            def handle(conn: mpg.net.Conn) -> None:
                while data := conn.recv():
                    conn.sendall(data)

            server = mpg.net.Server(listener, handle, drain=1.0)
            serving = mpg.go(server.serve)

            def client(k: int) -> None:
                tag = f"{k};".encode()
                with mpg.net.dial(listener.addr) as conn:
                    if rng.random() < 0.5:
                        mpg.after_func(rng.random() * 2e-3, conn.close)
                    try:
                        for _ in range(10):
                            conn.sendall(tag)
                            got = b""
                            while len(got) < len(tag):
                                if not (more := conn.recv(len(tag) - len(got))):
                                    return
                                got += more
                            assert got == tag
                    except (mpg.ClosedError, ConnectionError):
                        pass

            for k in range(40):
                wg.go(client, k)
            wg.wait()
            server.close()
            serving.join()
            assert server.stats.failed == 0

    for _ in rounds():
        run(main)
