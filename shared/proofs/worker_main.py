"""The program of a canonicalising worker's process: worker_process.py without any client of the network.

PyLD, when it is imported, takes the first such client that it finds to fetch contexts with. All contexts are
pinned here, so that it would never be used; a worker has none that could be.
"""

from __future__ import annotations

import sys

for client in ("aiohttp", "requests"):
    sys.modules[client] = None  # type: ignore[assignment] # the import system's way to say: not there

from shared.proofs import worker_process  # noqa: E402 - not before what PyLD may not find

if __name__ == "__main__":
    worker_process.main()
