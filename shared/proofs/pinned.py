"""Files that are kept beside the code exactly as their publisher wrote them.

A folder has a manifest.json: a list of entries with `file`, `url`, `sha256` and `source`. Refuses to read a
file of which a single byte differs from its digest; the program stops rather than trust it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from importlib.resources.abc import Traversable

from shared.proofs.strictjson import JsonObject


def files(folder: Traversable) -> Iterator[tuple[str, bytes]]:
    """Each pinned file of `folder` as its URL and its bytes."""
    manifest: list[dict[str, str]] = json.loads(folder.joinpath("manifest.json").read_bytes())
    for entry in manifest:
        data = folder.joinpath(entry["file"]).read_bytes()
        if hashlib.sha256(data).hexdigest() != entry["sha256"]:
            raise RuntimeError(f"pinned file {entry['file']} does not have the digest of its manifest")
        yield entry["url"], data


def parsed(data: bytes) -> JsonObject:
    """A pinned file as JSON; its publisher's bytes are trusted as they were reviewed."""
    value: JsonObject = json.loads(data)
    return value
