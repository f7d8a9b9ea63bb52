"""The step of RDFC-1.0 that names the nodes without an id, with a bound on its work.

Nodes that look alike are told apart by trying them in every order (RDFC-1.0 §4.8), so a dozen of them in a
small document can mean hours: a "poison graph". Here every order that is tried and every statement that is
looked at meanwhile is counted, and past WORK_MAX the document is refused. The count depends on the document
alone: it is refused everywhere or nowhere, after some hundredths of a second, and its worker lives on.

Refuses what takes more than WORK_MAX steps: half as many again as the hardest honest graph of the RDFC-1.0
suite takes. An ordinary credential, whose nodes differ, takes none.
"""

from __future__ import annotations

from typing import Any, Final

from pyld.canon import URDNA2015
from pyld.identifier_issuer import IdentifierIssuer

from shared.errors import Invalid

WORK_MAX: Final = 10_000

Dataset = dict[str, list[dict[str, Any]]]


def beyond(what: str) -> Invalid:
    """The refusal of a graph that is too large, or too much alike; `what` there is too much of."""
    return Invalid("canonicalisation-limit", "The document is too large a graph to canonicalise.", (what,))


def canonical_nquads(dataset: Dataset, work_max: int = WORK_MAX) -> str:
    """The canonical N-Quads of `dataset`. Raises `Invalid` with code `canonicalisation-limit`."""
    text: str = _Labelling(work_max).main(dataset, {"format": "application/n-quads"})
    return text


class _Work:
    """Counts steps, and ends with the last that is allowed."""

    def __init__(self, steps_max: int) -> None:
        self._left = steps_max

    def spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise beyond("too many nodes without an id that look alike")


class _Labels(IdentifierIssuer):  # type: ignore[misc]
    """The labels that one order has given so far. PyLD copies them once for each order that it tries."""

    def __init__(self, work: _Work, given: IdentifierIssuer) -> None:
        super().__init__(given.prefix)
        self._work = work
        self.counter = given.counter
        self.existing = dict(given.existing)
        self.order = list(given.order)

    def __deepcopy__(self, _memo: dict[int, Any]) -> _Labels:
        self._work.spend(1)
        return _Labels(self._work, self)


class _Labelling(URDNA2015):  # type: ignore[misc]
    """PyLD's algorithm, which calls these two methods for whatever takes long."""

    def __init__(self, work_max: int) -> None:
        super().__init__()
        self._work = _Work(work_max)

    def hash_n_degree_quads(self, id_: str, issuer: IdentifierIssuer) -> Any:
        labels = issuer if isinstance(issuer, _Labels) else _Labels(self._work, issuer)
        return super().hash_n_degree_quads(id_, labels)

    def create_hash_to_related(self, id_: str, issuer: IdentifierIssuer) -> Any:
        self._work.spend(len(self.blank_node_info[id_]["quads"]))
        return super().create_hash_to_related(id_, issuer)
