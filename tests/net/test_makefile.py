"""Connections as files: `makefile`."""

from __future__ import annotations

import io

import pytest
from conformance.worlds import park
from net.deadlines import SOON
from net.runs import BIG, Run, failure, pair

import mpg
from mpg.status import IO_WAIT


def test_makefile_binary(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with a, b:
            with a.makefile("wb") as out:
                out.write(b"one\ntwo\n")
                out.flush()
                assert b.recv() == b"one\ntwo\n"
                out.write(b"three\nfour")
            a.sendall(b"!\n")  # closing the file has flushed it and left the connection open
            a.close_write()
            with b.makefile("rb") as lines:
                assert lines.readline() == b"three\n"
                assert list(lines) == [b"four!\n"]
                assert lines.read() == b""
            b.sendall(b"still open")
            assert a.recv() == b"still open"

    run(main)


def test_makefile_text(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with a, b, b.makefile("r", encoding="utf-8", newline="\n") as lines:
            got: list[str] = []
            reader = park(lambda: got.extend(lines), reason=IO_WAIT)
            with a.makefile("w", encoding="utf-8", newline="\n") as out:
                out.write("grün\n")
                out.flush()
                a.sendall("weiß\n".encode()[:4])  # in the middle of a character
                a.sendall("weiß\n".encode()[4:])
                print("end", end="", file=out)
            a.close_write()
            reader.join()
            assert got == ["grün\n", "weiß\n", "end"]

    run(main)


def test_makefile_for_both(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with a, b, a.makefile("rwb") as file, b.makefile("rw", encoding="utf-8", newline="\n") as text:
            file.write(b"ping\n")
            file.flush()
            assert text.readline() == "ping\n"
            text.write("pong\n")
            text.flush()
            assert file.readline() == b"pong\n"

    run(main)


def test_makefile_more_than_the_buffers_hold(run: Run) -> None:
    def writer(conn: mpg.net.Conn) -> None:
        with conn, conn.makefile("wb") as out:
            out.write(BIG)

    def main() -> None:
        a, b = pair()
        g = park(writer, a, reason=IO_WAIT)
        with b, b.makefile("rb") as file:
            assert file.read(len(BIG) - 1) == BIG[:-1]
            assert file.read() == BIG[-1:]
        g.join()

    run(main)


def test_makefile_unbuffered(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with a, b, a.makefile("rwb", 0) as raw:
            assert raw.readable()
            assert raw.writable()
            assert not raw.seekable()
            assert raw.fileno() == a.fileno()
            assert raw.write(b"abc") == 3
            assert b.recv() == b"abc"
            b.sendall(b"def")
            assert raw.read(2) == b"de"
            b.close_write()
            assert raw.readall() == b"f"
            assert (raw.mode, raw.name) == ("rwb", a.fileno())
            with pytest.raises(ValueError, match="unbuffered"):
                a.makefile("r", 0)
            for mode in ("a", "b", "", "r+"):
                with pytest.raises(ValueError, match="invalid mode"):
                    a.makefile(mode)

    run(main)


def test_closing_the_connection_under_a_file(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with b, a.makefile("rb") as file:
            reader = park(failure, file.readline, reason=IO_WAIT)
            a.close()
            reader.join()
            assert isinstance(reader.result, mpg.ClosedError)

    run(main)


def test_a_closed_file_and_one_of_the_other_direction(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with a, b:
            raw = a.makefile("rb", 0)
            with pytest.raises(io.UnsupportedOperation):
                raw.write(b"x")
            out = a.makefile("wb", 0)
            assert out.mode == "wb"
            with pytest.raises(io.UnsupportedOperation):
                out.read(1)
            b.sendall(b"x")
            raw.close()
            out.close()
            for use in (lambda: raw.read(1), lambda: out.write(b"x"), raw.fileno, raw.readable):
                with pytest.raises(ValueError, match="closed file"):
                    use()
            assert raw.name == -1
            assert a.recv() == b"x"

    run(main)


def test_after_a_timeout_nothing_is_read_from_a_file(run: Run) -> None:
    """What came before it may be lost."""

    def main() -> None:
        a, b = pair()
        with a, b, a.makefile("rb") as file:
            b.sendall(b"half a line")
            a.set_read_deadline(SOON)
            with pytest.raises(TimeoutError):
                file.readline()
            a.set_read_deadline(None)
            b.sendall(b", the other half\n")
            with pytest.raises(OSError, match="timed out"):
                file.readline()

    run(main)
