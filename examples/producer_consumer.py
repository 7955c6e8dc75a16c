"""Producers, consumers and the two kinds of channel.

    python examples/producer_consumer.py

An unbuffered channel is a meeting: `send` returns when somebody has taken the item. A channel with 100 slots is a
queue: the producer may run up to 100 items ahead, and then it waits; a slow consumer slows it down.
"""

import mpg


def produce(items, ch):
    """Send everything and close: the sender closes, because only the sender knows that there is no more."""
    for item in items:
        ch.send(item)
    ch.close()


def meeting():
    ch = mpg.Chan()
    mpg.go(produce, range(5), ch)
    print("unbuffered:", *ch)  # iterating a channel ends when it is closed and drained


def queue():
    ch = mpg.Chan(100)
    producer = mpg.go(produce, range(1000), ch)
    furthest = total = 0
    for item in ch:
        furthest = max(furthest, len(ch))
        total += item
    print(f"100 slots: the sum of 1000 items is {total}; at most {furthest} waited ({producer.name})")


def two_producers():
    """select takes from whichever channel has something; a None channel is never ready, so it leaves the game."""
    words, numbers = mpg.Chan(), mpg.Chan(100)
    mpg.go(produce, ["one", "two", "three"], words)
    mpg.go(produce, [1, 2, 3], numbers)
    got = {words: [], numbers: []}
    open_words, open_numbers = words, numbers
    while open_words or open_numbers:
        chosen = mpg.select(mpg.recv_case(open_words), mpg.recv_case(open_numbers))
        if chosen.ok:
            got[chosen.chan].append(chosen.value)
        elif chosen.chan is words:
            open_words = None
        else:
            open_numbers = None
    print("select: words", got[words], "numbers", got[numbers])


def main():
    meeting()
    queue()
    two_producers()


if __name__ == "__main__":
    mpg.run(main)
