"""Who is next: callers take turns, and so do the calls of each of them.

A caller that has a name, such as a client's address, has one turn however many calls it makes, so a hundred
of its documents stand in nobody's way but its own. A call without a name is a caller of its own.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Generic, TypeVar

Job = TypeVar("Job")


class Turns(Generic[Job]):
    """Jobs that wait, by caller."""

    def __init__(self) -> None:
        self._callers: OrderedDict[Hashable, deque[deque[Job]]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._callers)

    def add(self, caller: Hashable | None, jobs: Iterable[Job]) -> None:
        """A call's jobs, after those that its caller has waiting; None for a call without a name."""
        if call := deque(jobs):
            self._callers.setdefault(object() if caller is None else caller, deque()).append(call)

    def first(self, jobs: Iterable[Job]) -> None:
        """Jobs that had their turn and lost it through no fault of theirs: they are next."""
        if call := deque(jobs):
            turn = object()
            self._callers[turn] = deque([call])
            self._callers.move_to_end(turn, last=False)

    def take(self, share: Callable[[int], int]) -> list[Job]:
        """As many jobs of the next call as `share` makes of their number; there has to be one."""
        caller, calls = self._callers.popitem(last=False)
        call = calls.popleft()
        jobs = [call.popleft() for _ in range(share(len(call)))]
        if call:
            calls.append(call)
        if calls:
            self._callers[caller] = calls
        return jobs

    def drain(self) -> Iterator[Job]:
        """Every job, none of which waits any longer."""
        callers, self._callers = self._callers, OrderedDict()
        for calls in callers.values():
            for call in calls:
                yield from call
