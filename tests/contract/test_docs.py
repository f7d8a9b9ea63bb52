"""The documents say what is there: links, commands, paths, functions, settings, limits, metrics and events.

What stands in a code span or a code block is taken at its word. A name that the code no longer has turns
these tests red, whoever renamed it.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

ROOT = Path(__file__).parent.parent.parent
SKIPPED = {"node_modules", "var", "dist", "build"}
CODE_FOLDERS = ("services", "shared", "tests")
PATH = re.compile(
    r"^(?:services|shared|tests|docs|deploy|examples|requirements)/[\w./-]*[\w-](?::[A-Za-z_][\w.]*)?$"
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
MAKE = re.compile(r"\bmake ([a-z][a-z-]*)")
MICROCRED = re.compile(r"\bmicrocred((?: [a-z][a-z-]*)*)((?:[^\n|`]*\\\n)*[^\n|`]*)")
CAPITALS = re.compile(r"^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?:=\S+)?$")
METRIC = re.compile(r"^microcred_\w+$")
EVENT_TYPE = re.compile(r"\b[a-z]+(?:-[a-z]+)*\.[a-z]+(?:-[a-z]+)*\.v\d+\b")
ASSIGNED = re.compile(r"^ *([A-Z][A-Z0-9_]+)(?::[^=\n]+)? = ([^#\n]*?)(?:  #.*)?$", re.MULTILINE)
NUMBER = re.compile(r"[0-9][0-9_.]*(?: (?:\*|<<) [0-9][0-9_.]*)*")
VALUE = re.compile(r"([0-9][0-9.,]*) \w+\s\(`([A-Z][A-Z0-9_]+)`")
STEP = re.compile(r"\bsteps? (\d+)(?: to (\d+))? of (?:docs/)?ISSUANCE-CYCLE", re.IGNORECASE)


def documents() -> list[Path]:
    """Every Markdown file of the project."""
    found = []
    for path in sorted(ROOT.rglob("*.md")):
        parts = path.relative_to(ROOT).parts
        if not any(part.startswith(".") or part in SKIPPED for part in parts):
            found.append(path)
    return found


def sources() -> list[Path]:
    """Every Python file of the project."""
    return [path for folder in CODE_FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


def commands(text: str) -> str:
    """What a reader would paste or type: shell blocks, and code spans outside of blocks."""
    blocks = "\n".join(block for language, block in BLOCK.findall(text) if language == "sh")
    return blocks + "\n" + "\n".join(spans(text))


def spans(text: str) -> list[str]:
    """The code spans outside of code blocks."""
    return SPAN.findall(BLOCK.sub("", text))


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as repository hosts make them."""
    headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", document.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


each_document = pytest.mark.parametrize(
    "document", documents(), ids=lambda path: path.relative_to(ROOT).as_posix()
)


@each_document
def test_relative_links_lead_somewhere(document: Path) -> None:
    for target in LINK.findall(BLOCK.sub("", document.read_text("utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        aim = (document.parent / name).resolve() if name else document
        assert aim.exists(), f"the link {target} leads nowhere"
        assert aim.is_relative_to(ROOT), f"the link {target} leaves the project"
        if anchor:
            assert anchor in anchors(aim), f"{target}: there is no such heading"


@each_document
def test_every_make_target_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(MAKE.findall(commands(document.read_text("utf-8"))))
    assert named <= targets, f"the Makefile has no {sorted(named - targets)}"


@each_document
def test_every_microcred_command_and_option_exists(document: Path) -> None:
    for words, rest in MICROCRED.findall(commands(document.read_text("utf-8"))):
        command, left = resolved(words.split())
        if isinstance(command, TyperGroup):
            assert not left, f"there is no 'microcred{words}'"
        offered = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
        for option in re.findall(r"(?<!\S)--[a-z][a-z-]*", rest):
            assert option in offered | {"--help"}, f"'microcred{words}' has no {option}"


def resolved(words: list[str]) -> tuple[TyperGroup | TyperCommand, list[str]]:
    """The command that `words` name, and the words that are left for it."""
    command: TyperGroup | TyperCommand = cli()
    while words and isinstance(command, TyperGroup) and words[0] in command.commands:
        found = command.commands[words[0]]
        assert isinstance(found, TyperGroup | TyperCommand)
        command, words = found, words[1:]
    return command, words


@functools.cache
def cli() -> TyperGroup:
    """The `microcred` command."""
    from services.cli.commands import app_of

    group = get_command(app_of(()))
    assert isinstance(group, TyperGroup)
    return group


@each_document
def test_every_path_and_function_exists(document: Path) -> None:
    for span in spans(document.read_text("utf-8")):
        if not PATH.match(span):
            continue
        name, _, function = span.partition(":")
        assert (ROOT / name).exists(), f"there is no {name}"
        if function:
            assert function in names_in(ROOT / name), f"{name} has no {function}"


@functools.cache
def names_in(path: Path) -> frozenset[str]:
    """The functions and classes of a module, those inside others as `Outer.inner` and as `inner`."""
    found: set[str] = set()

    def visit(node: ast.AST, outer: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                found.update({child.name, f"{outer}{child.name}"})
                visit(child, f"{outer}{child.name}.")

    visit(ast.parse(path.read_text("utf-8")), "")
    return frozenset(found)


@each_document
def test_every_name_in_capitals_is_a_setting_or_a_constant_of_the_code(document: Path) -> None:
    if document.is_relative_to(ROOT / "services"):
        return  # the services' own pages name the standards' error codes too
    named = {span.partition("=")[0] for span in spans(document.read_text("utf-8")) if CAPITALS.match(span)}
    unknown = named - settings() - constants().keys()
    assert not unknown, f"neither settings nor constants: {sorted(unknown)}"


@functools.cache
def settings() -> frozenset[str]:
    """The environment variables of every service, and those of the program and the tests."""
    from services import SERVICES
    from services.configuration import settings_class, variable_names

    named = {variable for name in SERVICES for variable in variable_names(settings_class(name)).values()}
    return frozenset(named | {"DATABASE_URL", "MICROCRED_TEST_DATABASE_URL", "MICROCRED_TEST_KAFKA"})


@each_document
def test_a_number_beside_the_name_of_a_constant_is_its_value(document: Path) -> None:
    for number, name in VALUE.findall(document.read_text("utf-8")):
        if name in settings() - constants().keys():
            continue  # a setting has no one value
        values = constants().get(name, frozenset())
        assert float(number.replace(",", "")) in values, f"{name} is {sorted(values)}, not {number}"


@functools.cache
def constants() -> dict[str, frozenset[float]]:
    """The names in capitals that the code assigns, each with the numbers that it is given anywhere."""
    found: dict[str, set[float]] = {}
    for path in sources():
        for name, value in ASSIGNED.findall(path.read_text("utf-8")):
            numbers = found.setdefault(name, set())
            if NUMBER.fullmatch(value):
                numbers.add(float(eval(value)))  # noqa: S307 - digits, dots, * and << alone
    return {name: frozenset(numbers) for name, numbers in found.items()}


@each_document
def test_every_metric_is_one_that_the_code_makes(document: Path) -> None:
    code = "\n".join(path.read_text("utf-8") for path in sources() if path != Path(__file__))
    for span in spans(document.read_text("utf-8")):
        if METRIC.match(span):
            assert f'"{span}"' in code, f"no metric is called {span}"


@each_document
def test_every_event_type_is_registered(document: Path) -> None:
    from shared.contracts.registry import BY_TYPE, UPCASTS

    named = set(EVENT_TYPE.findall(document.read_text("utf-8")))
    assert named <= BY_TYPE.keys() | UPCASTS.keys()


def test_the_steps_that_the_code_cites_are_steps_of_the_cycle() -> None:
    page = (ROOT / "docs" / "ISSUANCE-CYCLE.md").read_text("utf-8")
    steps = [int(number) for number in re.findall(r"^\*\*(\d+)\. ", page, re.MULTILINE)]
    assert steps == list(range(1, 14))
    cited = list(citations())
    assert cited, "no module cites a step"
    assert set(cited) <= set(steps)


def citations() -> Iterator[int]:
    """Every step of the cycle that a module names."""
    for path in sources():
        if path != Path(__file__):
            for first, last in STEP.findall(path.read_text("utf-8")):
                yield from range(int(first), int(last or first) + 1)


def test_every_decision_is_in_the_index_and_has_all_its_parts() -> None:
    folder = ROOT / "docs" / "adr"
    decisions = sorted(path for path in folder.glob("*.md") if path.name != "README.md")
    indexed = re.findall(r"\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text("utf-8"))
    assert indexed == [path.name for path in decisions]
    for path in decisions:
        text = path.read_text("utf-8")
        parts = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert parts == ["Context", "Decision", "Consequences", "Rejected"], path.name
        assert "**Status:**" in text, path.name


def test_operations_names_every_setting_that_has_no_default() -> None:
    from services import SERVICES
    from services.configuration import settings_class, variable_names

    page = (ROOT / "docs" / "OPERATIONS.md").read_text("utf-8")
    for name in SERVICES:
        kind = settings_class(name)
        for field, variable in variable_names(kind).items():
            if kind.model_fields[field].is_required():
                assert f"`{variable}`" in page, f"{variable} of the {name} has no default and is not named"


def test_every_service_that_the_replay_page_names_can_be_replayed() -> None:
    page = (ROOT / "docs" / "how-to" / "replay.md").read_text("utf-8")
    named = re.findall(r"^\| ([a-z]+) \| [^|]*[a-z]", page, re.MULTILINE)[1:]
    assert named, "the page has no table of services"
    for name in named:
        assert (ROOT / "services" / name / "replay.py").exists(), f"{name} cannot be replayed"
