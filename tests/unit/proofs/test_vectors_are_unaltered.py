from __future__ import annotations

import hashlib
import json
from pathlib import Path


def test_every_vector_has_the_digest_of_the_manifest_and_none_is_unlisted(vectors: Path) -> None:
    listed = json.loads((vectors / "manifest.json").read_bytes())
    found = {
        path.relative_to(vectors).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in vectors.rglob("*")
        if path.is_file() and path.name not in ("README.md", "manifest.json")
    }
    assert found == listed
