"""The process of the followers, beside the one that serves.

Python runs one thread of a process at a time, so what follows the log would take its time from whoever
waits for an acknowledgement. The two talk over a pipe: the serving one says that there is something new, and
asks for what only the other may do, since it alone writes derived rows and the search index; the other says
how far it is, and asks the serving one to let go of a file before another takes its place. Each ends with
the other: whoever serves begins the followers again, the followers end at the end of the pipe.
"""

from __future__ import annotations

import itertools
import logging
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection
from time import sleep
from typing import Any, Final, Protocol

from deploytrail.app.follow import Facts, FollowerState, InOrder, take_turns
from deploytrail.app.listeners import tell_all
from deploytrail.app.ports import Clock
from deploytrail.app.searching import Forgetting, Searching
from deploytrail.errors import Refused

diagnostics: Final = logging.getLogger("deploytrail.following")

# Seconds: until followers that ended are begun again, and that the end of a batch is waited for.
_PAUSE_S: Final = 1.0
_PATIENCE_S: Final = 10.0
# Seconds between two takings in of what comes little by little.
_REST_S: Final = 0.025
# The followers give way to whoever waits for an answer.
_NICE: Final = 5


class File(Protocol):
    """A file that the followers write and the serving process reads, as `MadeAgain`."""

    letting_go: Callable[[], AbstractContextManager[Any]]

    def let_go(self) -> AbstractContextManager[None]:
        """Nobody reads to the end of the block, and nothing is held open."""


class Opened(Protocol):
    """What a process of followers works on. `files` by the follower's name."""

    @property
    def followers(self) -> Sequence[InOrder[Any]]:
        """All of them."""

    @property
    def searching(self) -> Searching:
        """The one into the search index."""

    @property
    def facts(self) -> Facts:
        """What they read from."""

    @property
    def files(self) -> Mapping[str, File]:
        """What they write and the serving process reads, by the follower's name."""

    def close(self) -> None:
        """Let everything go."""


_FORK: Final = multiprocessing.get_context("fork")
_SPAWN: Final = multiprocessing.get_context("spawn")

# A number that the answer carries, if one is awaited; what is asked for; and with what.
_Asked = tuple[int | None, str, tuple[Any, ...]]


class Ended(Exception):
    """Nobody is at the other end any more."""


# In the process of the followers.


def run(pipe: Connection, other: Connection | None, open_: Callable[[], Opened]) -> None:
    """Follow until the serving process says so, or ends. Opens nothing before it is told to.

    `other` is the other end, if this process has inherited it: the pipe ends with the last who holds it.
    """
    if other is not None:
        other.close()
    # Both are sent to whole groups of processes; whoever serves says when it is time.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.nice(_NICE)
    with suppress(Ended):
        _Here(pipe).follow(open_)


class _Here:
    """This end of the pipe. One thread does everything, between one batch and the next."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._asked: deque[_Asked] = deque()

    def follow(self, open_: Callable[[], Opened]) -> None:
        """The whole life of this process."""
        # Whoever serves may have said that there is something new before this process was there to hear it.
        number, name, _ = self._next("open", "stop")
        if name == "stop":
            return
        try:
            opened = open_()
        except Exception as error:
            self._answer(number, error=error)
            return
        try:
            for name, file in opened.files.items():
                file.letting_go = partial(self._let_go, name)
            self._answer(number, [follower.state for follower in opened.followers])
            for follower in opened.followers:
                follower.listeners.append(partial(self._stands, follower))
            take_turns(opened.followers, opened.facts, lambda seconds: self._rest(opened, seconds))
        finally:
            opened.close()

    def _stands(self, follower: InOrder[Any], size: int) -> None:
        self._send("state", follower.state)

    def _rest(self, opened: Opened, seconds: float) -> bool:
        """Wait until there may be something new, doing what is asked for; False when it is time to end."""
        if seconds:
            # Of what comes one by one, many are taken in at a time: each taking in costs both processes more
            # than an entry does.
            sleep(_REST_S)
        while self._asked or self._pipe.poll(seconds):
            number, name, given = self._next()
            if name == "stop":
                return False
            # Something new, or perhaps.
            seconds = 0
            if name != "wake":
                self._do(opened, number, name, given)
        return True

    def _do(self, opened: Opened, number: int | None, name: str, given: tuple[Any, ...]) -> None:
        try:
            if name == "erase":
                self._erase(opened.searching, number)
            else:
                next(one for one in opened.followers if one.name == given[0]).rebuild()
                self._answer(number)
        except Ended:
            raise
        except Exception as error:
            # Unless it was answered already, which the other end knows.
            self._answer(number, error=error)

    def _erase(self, searching: Searching, number: int | None) -> None:
        """Nothing is taken in until the serving process says that the erasure is over."""
        with searching.erasing() as searched:
            self._answer(number)
            while True:
                number, name, given = self._next("forget", "erased")
                if name == "erased":
                    break
                try:
                    searched.forget(*given)
                    self._answer(number)
                except Exception as error:
                    self._answer(number, error=error)
        self._answer(number)

    @contextmanager
    def _let_go(self, name: str) -> Iterator[None]:
        """The serving process reads nothing of this file to the end of the block."""
        self._send("let go", name)
        self._next("gone")
        try:
            yield
        finally:
            self._send("take", name)

    def _next(self, *names: str) -> _Asked:
        """What was asked for next; of these names, if there are any: the others wait."""
        for asked in self._asked:
            if not names or asked[1] in names:
                self._asked.remove(asked)
                return asked
        while names and (asked := self._received())[1] not in names:
            self._asked.append(asked)
        return asked if names else self._received()

    def _received(self) -> _Asked:
        try:
            asked: _Asked = self._pipe.recv()
        except (EOFError, OSError):
            raise Ended from None
        return asked

    def _answer(self, number: int | None, value: Any = None, error: Exception | None = None) -> None:
        if error is not None and not isinstance(error, Refused):
            diagnostics.error("the followers failed", exc_info=error)
            error = Refused("unavailable", f"The followers failed ({type(error).__name__}: {error}).")
        self._send("answer", number, value, error)

    def _send(self, *said: Any) -> None:
        try:
            self._pipe.send(said)
        except OSError:
            raise Ended from None


# In the process that serves.


class Following:
    """The followers' process. Made before anything is opened and any thread begun; `start` lets it follow.

    `open_` opens what it works on, there, and can be sent to a new process; `names` are its followers.
    """

    def __init__(self, open_: Callable[[], Opened], names: Iterable[str], clock: Clock) -> None:
        self._open_there, self._clock = open_, clock
        self.followers = {name: Remote(self, name) for name in names}
        self._files: Mapping[str, File] = {}
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._asked: dict[int, Future[Any]] = {}
        self._lent: dict[str, ExitStack] = {}
        self._size = 0
        self._woken = False
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        # Nothing is open yet: it shares this process's memory. Later ones are started anew.
        self._begin(_FORK)

    def start(self, files: Mapping[str, File]) -> None:
        """Open there and follow; `files` by the follower's name. Refused as opening was refused there."""
        self._files = files
        self._open()
        self._thread = threading.Thread(target=self._listen, name="following", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the batch that is being taken in."""
        self._ended.set()
        self.tell("stop")
        self._process.join(_PATIENCE_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        if self._thread is not None:
            self._thread.join(_PATIENCE_S)
        self._pipe.close()

    def wake(self, size: int) -> None:
        """There are `size` entries. Returns at once."""
        with self._lock:
            self._size = max(size, self._size)
            woken, self._woken = self._woken, True
        if not woken:
            self.tell("wake")

    def tell(self, name: str) -> None:
        """Say something that nobody answers; if nobody hears it, that is found out elsewhere."""
        with suppress(OSError), self._lock:
            self._pipe.send((None, name, ()))

    def ask(self, name: str, *given: Any) -> Any:
        """What the followers' process answers. Refused as it refuses; "unavailable" if it ends."""
        future: Future[Any] = Future()
        try:
            with self._lock:
                number = next(self._numbers)
                self._asked[number] = future
                self._pipe.send((number, name, given))
        except OSError:
            self._asked.pop(number, None)
            raise _gone() from None
        return future.result()

    # Beginning.

    def _begin(self, context: Any) -> None:
        ours, theirs = context.Pipe()
        inherited = ours if context is _FORK else None
        process = context.Process(target=run, args=(theirs, inherited, self._open_there), daemon=True)
        process.start()
        # Else it would stay open when theirs ends.
        theirs.close()
        self._pipe, self._process = ours, process

    def _open(self) -> None:
        with ExitStack() as alone:
            # A file that cannot be read is made anew under its name.
            for file in self._files.values():
                alone.enter_context(file.let_go())
            try:
                with self._lock:
                    self._pipe.send((None, "open", ()))
                _, _, states, error = self._pipe.recv()
            except (EOFError, OSError):
                raise _gone() from None
        if error is not None:
            raise error
        for state in states:
            self._heard("state", state)

    def _listen(self) -> None:
        while True:
            try:
                self._heard(*self._pipe.recv())
            except (EOFError, OSError):
                self._let_down()
                if self._ended.is_set():
                    return
                self._again()

    def _again(self) -> None:
        """Begin another process in the place of one that ended by itself."""
        self._process.join()
        why = f"the process that follows the log ended (status {self._process.exitcode})"
        while not self._ended.wait(_PAUSE_S):
            diagnostics.error("%s; it is begun again", why)
            for one in self.followers.values():
                words = f"Nothing new is taken in at entry {one.state.size}, since {why}; it is begun again."
                one.state = FollowerState(
                    name=one.state.name, size=one.state.size, words=words, since=self._clock.now()
                )
            try:
                with self._lock:
                    self._pipe.close()
                    self._begin(_SPAWN)
                    self._woken = False
                self._open()
                return
            except (Refused, OSError) as error:
                # Whoever asked meanwhile is not heard any more.
                self._let_down()
                why = f"the process that follows the log cannot be begun ({error})"

    def _let_down(self) -> None:
        """Nobody answers any more, and nobody takes the place of a file."""
        with self._lock:
            asked, self._asked = list(self._asked.values()), {}
        for future in asked:
            future.set_exception(_gone())
        for stack in self._lent.values():
            stack.close()
        self._lent.clear()

    # Listening.

    def _heard(self, what: str, *said: Any) -> None:
        if what == "state":
            self._stands(*said)
        elif what == "answer":
            self._answered(*said)
        elif what == "let go":
            self._lent[said[0]] = stack = ExitStack()
            stack.enter_context(self._files[said[0]].let_go())
            self.tell("gone")
        else:
            self._lent.pop(said[0]).close()

    def _stands(self, state: FollowerState) -> None:
        one = self.followers[state.name]
        news, one.state = state != one.state, state
        with self._lock:
            behind = state.size < self._size and not state.words
            self._woken = False
        if behind:
            self.wake(0)
        if news:
            tell_all(one.listeners, state.size)

    def _answered(self, number: int, value: Any, error: Exception | None) -> None:
        with self._lock:
            future = self._asked.pop(number, None)
        if future is not None and error is not None:
            future.set_exception(error)
        elif future is not None:
            future.set_result(value)


class Remote:
    """Implements app.follow.Followed and app.searching.Searched for a follower in the other process."""

    def __init__(self, following: Following, name: str) -> None:
        self._following = following
        self.state = FollowerState(name=name)
        self.listeners: list[Callable[[int], None]] = []

    def rebuild(self) -> None:
        """Make all anew in a new place, then put it in the stead of the old."""
        self._following.ask("rebuild", self.state.name)

    @contextmanager
    def erasing(self) -> Iterator[Forgetting]:
        """While persons are erased: nothing is taken in, and a crash means that the index begins anew."""
        self._following.ask("erase")
        try:
            yield self
        finally:
            self._following.ask("erased")

    def forget(self, subjects: Sequence[str], indices: Iterable[int]) -> None:
        """As Forgetting."""
        self._following.ask("forget", list(subjects), list(indices))


def _gone() -> Refused:
    return Refused("unavailable", "The process that follows the log has ended. It is begun again; try again.")
