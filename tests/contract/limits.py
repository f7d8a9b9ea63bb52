"""The limits of the house that no other tool checks: `python tests/contract/limits.py`, also run as a test.

Files stay within LINES_MAX, functions within FUNCTION_LINES_MAX; every setting says what it is for; nothing
is left for later, no module is a drawer for odds and ends, and no address of a package registry stands
anywhere (where packages come from is the business of whoever installs them). A service speaks SQL in its
stores, projections and replay alone.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[2]
LINES_MAX = 400
FUNCTION_LINES_MAX = 60
TEXT_BYTES_MAX = 2 << 20

LEFT_OUT = {"node_modules", "dist", "build", "var", "__pycache__"}
"""Folders that hold no source; those whose name begins with a dot are left out too, save OWN_HIDDEN."""
OWN_HIDDEN = {".ci", ".github"}

LATER = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
DRAWERS = re.compile(r"(?:^|_)(?:managers?|helpers?|utils?|utilities|commons?|base|misc)(?:_|$)")
REGISTRIES = re.compile(
    r"pypi\.org|pythonhosted\.org|registry\.npmjs|npmjs\.com|maven\.apache\.org/maven2|repo1?\.maven"
    r"|proxy\.golang\.org|crates\.io|--(?:extra-)?index-url[ =]+\S",
    re.IGNORECASE,
)

STATEMENT = re.compile(
    r"\s*(?:SELECT|INSERT\s+INTO|UPDATE|DELETE\s+FROM|MERGE\s+INTO|WITH|COPY|TRUNCATE|LOCK\s+TABLE)\s"
)
"""How SQL begins, in capitals as it is written here: in small letters these are words of sentences."""
SQL_ROOMS = {"store", "projections", "replay"}
"""Last words of the names of modules in which a service speaks SQL."""
OUTSIDERS = {"demo"}
"""Folders of services/ that are no service; what they count in the logs of all of them is nobody's own."""


def sources(project: Path) -> Iterator[Path]:
    """Every file of the project that people write."""
    folders = [project]
    while folders:
        for entry in sorted(folders.pop().iterdir()):
            if entry.is_symlink() or entry.name in LEFT_OUT or entry.name.endswith(".egg-info"):
                continue
            if entry.is_dir():
                if not entry.name.startswith(".") or entry.name in OWN_HIDDEN:
                    folders.append(entry)
            elif entry.stat().st_size <= TEXT_BYTES_MAX:
                yield entry


def modules(project: Path) -> list[Path]:
    """Every Python file that people write: the services, their tests, the examples, this one."""
    return [file for file in sources(project) if file.suffix == ".py"]


def too_long(project: Path) -> Iterator[str]:
    """Files and functions beyond their limits."""
    for file in modules(project):
        text = file.read_text("utf-8")
        name = file.relative_to(project)
        if (lines := text.count("\n")) > LINES_MAX:
            yield f"{name}: {lines} lines, {LINES_MAX} at most"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    yield f"{name}:{node.lineno}: {node.name} has {lines} lines, {FUNCTION_LINES_MAX} at most"


def without_docstring(project: Path) -> Iterator[str]:
    """Modules that do not say what they are."""
    for file in modules(project):
        text = file.read_text("utf-8")
        if text.strip() and ast.get_docstring(ast.parse(text)) is None:
            yield f"{file.relative_to(project)}: no docstring says what it is"


def drawers(project: Path) -> Iterator[str]:
    """Modules and folders named after no idea."""
    for file in modules(project):
        name = file.relative_to(project)
        if any(DRAWERS.search(part) for part in (*name.parts[:-1], name.stem)):
            yield f"{name}: its name says nothing of its one idea"


def forbidden_words(project: Path) -> Iterator[str]:
    """Work left for later, and addresses of package registries."""
    for file in sources(project):
        try:
            lines = file.read_text("utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        written_here = file.suffix in {".py", ".md", ".toml", ".yaml", ".yml", ".sql", ".sh", ""}
        for number, line in enumerate(lines, start=1):
            where = f"{file.relative_to(project)}:{number}"
            if written_here and LATER.search(line):
                yield f"{where}: left for later"
            if REGISTRIES.search(line):
                yield f"{where}: the address of a package registry"


def misplaced_sql(project: Path) -> Iterator[str]:
    """SQL of a service in a module that is not one of its rooms for it."""
    for file in modules(project):
        name = file.relative_to(project)
        if name.parts[0] != "services" or len(name.parts) < 3 or name.parts[1] in OUTSIDERS:
            continue
        if file.stem.rpartition("_")[2] in SQL_ROOMS:
            continue
        for line in sql_lines(ast.parse(file.read_text("utf-8"))):
            yield f"{name}:{line}: SQL outside of stores, projections and replay"


def sql_lines(module: ast.Module) -> Iterator[int]:
    """Lines on which a module speaks SQL, or has a table filled; what only stands there is no statement."""
    unused = [node.value for node in ast.walk(module) if isinstance(node, ast.Expr)]
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if STATEMENT.match(node.value) and node not in unused:
                yield node.lineno
        elif isinstance(node, ast.Attribute) and node.attr == "copy_records_to_table":
            yield node.lineno


def undescribed_settings(project: Path) -> Iterator[str]:
    """Settings that do not say what they are for."""
    if str(project) not in sys.path:
        sys.path.insert(0, str(project))
    from shared.settings import Settings

    files = [project / "shared" / "settings.py", *sorted((project / "services").glob("*/settings.py"))]
    for file in files:
        module = importlib.import_module(".".join(file.relative_to(project).with_suffix("").parts))
        for each in vars(module).values():
            if isinstance(each, type) and issubclass(each, Settings) and each.__module__ == module.__name__:
                for name, field in each.model_fields.items():
                    if not (field.description or "").strip():
                        yield f"{file.relative_to(project)}: {each.__name__}.{name} has no description"


CHECKS = (too_long, without_docstring, drawers, forbidden_words, misplaced_sql, undescribed_settings)


def faults(project: Path = PROJECT) -> Iterable[str]:
    """Every breach of a limit, one line each."""
    return [fault for check in CHECKS for fault in check(project)]


if __name__ == "__main__":
    found = list(faults())
    print("\n".join(found) or "within the limits")
    sys.exit(bool(found))
