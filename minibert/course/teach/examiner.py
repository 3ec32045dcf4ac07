"""The grader's side: answers are judged here, in a process that no student's code runs in.

A submission's kernel hands over its answers as functions that can be called over a line
(`minibert.course.learn.line`); the inputs, the right results, the comparison and the points stay
here. So whatever a submission does to itself, points come from giving right results alone.
"""

import secrets
import socket
import threading

from minibert.course.learn.checking import Outcome, judge
from minibert.course.learn.exercise import find
from minibert.course.learn.line import Gone, Line

ELSEWHERE = "A check is judged in its own cell, once; here it was left out."
PATIENCE = 10  # seconds for who has called to say what it wants


class Examiner:
    """Judges the answers to one exercise at a time, each one once; ``secret`` is the course's seed.

    ``address`` is what a kernel needs to call: a port and a password.
    """

    def __init__(self, secret: str | None) -> None:
        self.secret, self.password = secret, secrets.token_hex(16)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"{self.listener.getsockname()[1]}:{self.password}"
        self.wanted: str | None = None
        self.outcome: Outcome | None = None
        self.line: Line | None = None
        self.state = threading.Condition()
        threading.Thread(target=self._work, daemon=True).start()

    def begin(self, exercise_id: str) -> None:
        """From now on, judge the first answers that come for this exercise."""
        with self.state:
            self.wanted, self.outcome = exercise_id, None

    def end(self) -> Outcome | None:
        """What was judged since `begin`; None where nothing came. Judging that goes on is ended."""
        with self.state:
            self.wanted = None
            if self.line is not None:
                self.line.close()
            self.state.wait_for(lambda: self.line is None, timeout=60)
            return self.outcome

    def close(self) -> None:
        """Hear no more."""
        self.listener.close()

    def _work(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            try:
                self._examine(connection)
            except Exception:  # whatever a caller says ends that call alone
                pass
            finally:
                connection.close()

    def _examine(self, connection):
        connection.settimeout(PATIENCE)
        line = Line(connection, seeds=True)
        hello = line.receive()
        connection.settimeout(None)
        if not secrets.compare_digest(str(hello.get("password")).encode(), self.password.encode()):
            return
        with self.state:
            wanted, mine = self.wanted, hello.get("exercise") == self.wanted
            if mine and wanted:
                self.wanted, self.line = None, line
        if not (mine and wanted):
            line.send({"note": ELSEWHERE})
            return
        outcome = None
        try:
            outcome = self._judged(line, wanted, hello)
        finally:
            with self.state:
                self.line, self.outcome = None, outcome
                self.state.notify_all()
        line.send({"end": True})

    def _judged(self, line, exercise_id, hello):
        import torch

        torch.manual_seed(0)  # what an answer draws is the same at each grading
        exercise = find(exercise_id)
        try:
            answers = tuple(line.unpack(packed) for packed in hello["answers"])
        except Exception as error:
            raise Gone from error
        return judge(exercise, answers, self.secret, ready=True)
