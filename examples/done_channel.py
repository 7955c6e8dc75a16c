"""Ending G's: nobody can kill a G, so it is told through a `done` channel, and it listens.

    python examples/done_channel.py

Nothing is ever sent on `done`. It is closed, once, by the one who decides; a closed channel is ready for every
receiver at once, so one `close` tells any number of G's. Each of them has it in its `select`, beside what it works on.
"""

import mpg


def counter(numbers, done):
    """Count up until told to stop. Without `done` this G would wait in `send` for ever."""
    n = 0
    while True:
        chosen = mpg.select(mpg.send_case(numbers, n), mpg.recv_case(done))
        if chosen.chan is done:
            return
        n += 1


def heartbeat(done):
    """A G that mostly sleeps must listen, too: it sleeps in a `select`."""
    while mpg.select(mpg.recv_case(done), timeout=0.01).index != 0:
        pass  # here it would do its work


def main():
    numbers, done = mpg.Chan(), mpg.Chan()
    group = mpg.sync.WaitGroup()
    group.go(counter, numbers, done)
    group.go(heartbeat, done)
    print("counted:", *(numbers.recv() for _ in range(6)))

    print("G's:", mpg.num_goroutine())
    done.close()  # to all
    group.wait()  # and now they have ended
    print("G's after done:", mpg.num_goroutine())


if __name__ == "__main__":
    mpg.run(main)
