"""What a server of our own has in common with the next: a `with` block ends it in order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Stopping(ABC):
    """Stopped when its block ends, however that ends."""

    @abstractmethod
    def stop(self) -> None:
        """End it in order; twice is harmless."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
