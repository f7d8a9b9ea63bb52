"""Vectors and contexts are the bytes that were published: one that was altered stops the program."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from shared.proofs import contexts, openbadge_schema, pinned


def test_every_vector_has_the_digest_of_the_manifest_and_none_is_unlisted(vectors: Path) -> None:
    manifest = json.loads((vectors / "manifest.json").read_bytes())
    listed = {
        f"{folder}/{name}": digest
        for folder, kept in manifest.items()
        for name, digest in kept["files"].items()
    }
    found = {
        path.relative_to(vectors).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in vectors.rglob("*")
        if path.is_file() and path.name not in ("README.md", "manifest.json")
    }
    assert found == listed
    sources = {folder: kept["source"] for folder, kept in manifest.items()}
    assert sources.pop("own") == "made by this project"
    assert all(source.startswith("https://") for source in sources.values())


@pytest.mark.parametrize(
    "folder",
    [
        Path(str(contexts.__file__)).parent,
        Path(str(openbadge_schema.__file__)).parent / "schemas",
    ],
    ids=["contexts", "schemas"],
)
def test_one_altered_byte_in_a_pinned_file_stops_the_program(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    assert len(list(pinned.files(copy))) == len(list(copy.glob("*.json"))) - 1
    last = json.loads((copy / "manifest.json").read_bytes())[-1]["file"]
    (copy / last).write_bytes((copy / last).read_bytes() + b"\n")
    with pytest.raises(RuntimeError, match=last):
        list(pinned.files(copy))
