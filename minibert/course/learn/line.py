"""The line between a grader and a submission: each calls functions that the other has handed over.

A message is one line of JSON: ``{"call": number, "args": [...]}`` or its end, ``{"result": ...}``
or ``{"error": [name, sentence]}``. Before it gives the result, the other side may call back (an
argument may be a function). Values travel as `minibert.course.learn.wire` packs them.
"""

import json
import random
import socket
import sys
from collections.abc import Callable
from typing import Any

from minibert.course.learn.wire import pack, put_back, raised, unpack

LARGEST = 100_000_000  # bytes of a message


class Gone(Exception):
    """The other side has ended, or says what no side says."""

    sentence = "The answer was stopped, or ended its own program."


class Line:
    """One end of a line over a connected socket; ``tell`` makes one sentence of an error.

    With ``seeds``, this is the grader's end: each call sets the other side's random streams, from
    torch's stream here, and no layers are taken.
    """

    def __init__(
        self,
        connection: socket.socket,
        tell: Callable[[Exception | SystemExit], str] = str,
        seeds: bool = False,
    ) -> None:
        self.connection, self.tell, self.seeds = connection, tell, seeds
        self.file = connection.makefile("rwb")
        self.handed: list[Callable] = []  # functions that the other side may call, by their number

    def close(self) -> None:
        """Hang up; who waits for an answer gets `Gone`."""
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # closed already
        self.connection.close()

    def send(self, message: dict) -> None:
        """Send one message."""
        try:
            self.file.write(json.dumps(message).encode() + b"\n")
            self.file.flush()
        except (OSError, ValueError) as error:
            raise Gone from error

    def receive(self) -> dict:
        """The next message. Raises Gone at the end, or where none can be read."""
        try:
            line = self.file.readline(LARGEST)
            message = json.loads(line)
        except (OSError, ValueError) as error:
            raise Gone from error
        if not line.endswith(b"\n") or not isinstance(message, dict):
            raise Gone
        return message

    def pack(self, value: Any) -> Any:
        """``value`` as it travels; a function in it is handed over."""

        def named(function):
            if isinstance(function, Theirs) and function.line is self:
                return {"yours": function.number}
            self.handed.append(function)
            return {"call": len(self.handed) - 1}

        return pack(value, named)

    def unpack(self, packed: Any) -> Any:
        """The value that was packed."""

        def calling(kind, number):
            return Theirs(self, number) if kind == "call" else self.handed[number]

        return unpack(packed, calling, modules=not self.seeds)

    def call(self, number: int, arguments: tuple, keywords: dict) -> Any:
        """Call the other side's function; arguments that it alters are altered here, too.

        Raises what it raised, as an `Elsewhere` that is an error of the same name.
        """
        values = [*arguments, keywords]
        packed = [self.pack(value) for value in values]
        self.send({"call": number, "args": packed, "seed": drawn() if self.seeds else None})
        while "call" in (message := self.receive()):
            self.serve(message)
        if "error" in message:
            name, sentence = map(str, message["error"])
            raise raised(name[:80], sentence[:500])
        try:
            for place, new in message.get("changed", ()):
                put_back(values[place], self.unpack(new))
            return self.unpack(message["result"])
        except Exception as error:  # no honest end of a line says so
            raise Gone from error

    def serve(self, message: dict) -> None:
        """Answer one call."""
        try:
            function, packed = self.handed[message["call"]], message["args"]
            *arguments, keywords = values = [self.unpack(part) for part in packed]
            seed_everything(message.get("seed"))
            result = self.pack(function(*arguments, **keywords))
            after = [self.pack(value) for value in values]
        except (Exception, SystemExit) as error:
            self.send({"error": [type(error).__name__, self.tell(error)]})
            return
        pairs = zip(packed, after, strict=True)
        changed = [[i, new] for i, (old, new) in enumerate(pairs) if new != old and data(new)]
        self.send({"result": result, "changed": changed})


def data(packed: Any) -> bool:
    """Whether this is a value that can be altered in place, and no function."""
    return isinstance(packed, dict) and not {"call", "yours", "iterator", "opaque"} & set(packed)


class Theirs:
    """A function of the other side."""

    def __init__(self, line: Line, number: int) -> None:
        self.line, self.number, self.__name__ = line, number, f"answer_{number}"

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self.line.call(self.number, arguments, keywords)


Theirs.__name__ = "function"  # as a message calls the type of what came


def drawn() -> int:
    """A seed from torch's stream here."""
    import torch

    return int(torch.randint(2**31, ()))


def seed_everything(seed: int | None) -> None:
    """Set the streams of Python, NumPy and torch, for one call; None leaves them."""
    if seed is None:
        return
    random.seed(seed)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(seed)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(seed)
