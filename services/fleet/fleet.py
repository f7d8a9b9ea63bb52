"""The processes of one installation: started, asked, scaled and ended together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from services.fleet.child import Child
from services.fleet.parts import PARTS, Part, command_of, process_environment
from shared.embedded import free_port
from shared.errors import Conflict, Unavailable

READY_WAIT_S = 120.0
READY_POLL_S = 0.1


class Fleet:
    """Any number of processes of each part. `command` tells how one is started."""

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        command: Callable[[Part], list[str]] = command_of,
    ) -> None:
        """`folder` takes the logs; `environment` holds the settings of all of them."""
        self._folder = folder
        self._environment = dict(environment)
        self._command = command
        self._children: dict[str, list[Child]] = {part.name: [] for part in PARTS}

    def add(self, part: Part) -> Child:
        """Start one more process of `part`."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        among, port = self._children[part.name], free_port()
        name = f"{part.name}-{len(among) + 1}"
        child = Child(
            name,
            self._command(part),
            process_environment(part, self._environment, port),
            port,
            self._folder / f"{name}.log",
        )
        among.append(child)
        child.start()
        return child

    def of(self, part: str) -> list[Child]:
        """Return the processes of a part, in the order in which they were started."""
        return list(self._children[part])

    def all(self) -> list[Child]:
        """Return every process."""
        return [child for among in self._children.values() for child in among]

    async def problems(self) -> dict[str, str]:
        """Return what is not ready, by the name of the process."""
        children = self.all()
        told = await asyncio.gather(*(child.problem() for child in children))
        return {child.name: said for child, said in zip(children, told, strict=True) if said is not None}

    async def ready(self, wait_s: float = READY_WAIT_S) -> None:
        """Wait until every process is ready.

        Raises Conflict with the sentence of one that refused, and Unavailable after `wait_s`.
        """
        deadline = asyncio.get_running_loop().time() + wait_s
        while problems := await self.problems():
            for child in self.all():
                if child.refusal is not None:
                    raise Conflict("process-refused", f"{child.name}: {child.refusal}")
            if asyncio.get_running_loop().time() > deadline:
                told = "; ".join(f"{name}: {problem}" for name, problem in problems.items())
                last = "\n".join(child.last_words() for child in self.all() if child.name in problems)
                raise Unavailable(f"Not ready after {wait_s:.0f} s ({told}). Last words:\n{last}")
            await asyncio.sleep(READY_POLL_S)

    async def stop(self) -> None:
        """End every process in order, all at once."""
        await asyncio.gather(*(child.stop() for child in self.all()))
