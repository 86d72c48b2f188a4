"""The rules of the house, as far as a machine can check them."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.needs import require

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = PROJECT["tool"]["setuptools"]["packages"]
ROOMS = sorted({package.partition(".")[0] for package in PACKAGES})
MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))

BANNED = {"common", "core", "helper", "helpers", "lib", "manager", "misc", "util", "utils"}
LONGEST_INTERFACE = 150

MACHINE_PATH = re.compile(r"(?<![\w.$}/])/(?:work|home/\w+|root|Users/\w+|opt/pypi\S*|opt/wheels)/[\w.]")
REGISTRY = re.compile(
    r"\b(?:files\.pythonhosted\.org|pypi\.org|pypi\.python\.org|registry\.npmjs\.org|registry\.yarnpkg\.com|"
    r"conda\.anaconda\.org|proxy\.golang\.org|static\.crates\.io)\b"
)
MAIL_ADDRESS = re.compile(r"(?<![\w.+/@-])[A-Za-z0-9][\w.+-]*@((?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,})\b")
# RFC 2606 and RFC 6761 keep these for examples; nobody has an address there.
INVENTED_DOMAIN = re.compile(r"(?:^|\.)example(?:\.[a-z.]+)?$|\.(?:invalid|test|localhost)$")


def name_of(path: Path) -> str:
    """Name a file as a reader of the failure finds it."""
    return path.relative_to(ROOT).as_posix()


def public_parts(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Walk the public classes, functions and methods of a module, with their dotted names."""

    def walk(node: ast.AST, above: str) -> Iterator[tuple[str, ast.AST]]:
        for part in getattr(node, "body", []):
            if isinstance(part, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                if part.name.startswith("_"):
                    continue
                yield f"{above}{part.name}", part
                if isinstance(part, ast.ClassDef):
                    yield from walk(part, f"{above}{part.name}.")

    return walk(tree, "")


def tracked_names() -> list[str]:
    """Name the tracked files that are there."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    require(listed.returncode == 0, "not a git checkout: nothing is tracked")
    return [name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def tracked_texts() -> list[tuple[str, str]]:
    """Give the tracked text files as (name, text)."""
    texts = []
    for name in tracked_names():
        try:
            texts.append((name, (ROOT / name).read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue
    return texts


def places(pattern: re.Pattern[str], name: str, text: str) -> list[str]:
    """Name the lines of a file that match, without repeating what they say."""
    return [f"{name}:{text.count(chr(10), 0, found.start()) + 1}" for found in pattern.finditer(text)]


def test_rooms_import_only_downwards():
    """The import contract of pyproject.toml holds."""
    # A process of its own: import-linter stumbles over what Twisted, loaded by other tests, adds to every class.
    program = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    linter = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert linter.returncode == 0, linter.stdout + linter.stderr


def test_the_nouns_need_only_the_standard_library():
    """model/ imports nothing but the standard library and itself."""
    foreign = []
    for path in (ROOT / "model").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            foreign += [
                f"{name_of(path)} imports {name}"
                for name in names
                if name.partition(".")[0] not in {*sys.stdlib_module_names, "model"}
            ]
    assert foreign == []


def test_no_room_is_a_junk_room():
    """No file or folder is named after nothing in particular."""
    assert [name_of(path) for path in MODULES if BANNED & {*path.relative_to(ROOT).parts[:-1], path.stem}] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_public_thing_says_what_it_is(path):
    """Modules, classes, functions and methods that others may use have a docstring."""
    tree = ast.parse(path.read_text())
    silent = [name for name, part in public_parts(tree) if not ast.get_docstring(part) and not overrides(part)]
    if not ast.get_docstring(tree) and path.read_text().strip():
        silent.insert(0, "the module itself")
    assert silent == []


def overrides(part: ast.AST) -> bool:
    """Tell whether a function is marked as an override or overload, whose words stand elsewhere."""
    marks = {ast.unparse(mark).rpartition(".")[2] for mark in getattr(part, "decorator_list", [])}
    return bool(marks & {"override", "overload"})


def test_no_two_modules_say_the_same():
    """Each module's first line is its own: two that say the same were copied, or are one thing."""
    first_lines = Counter(
        docstring.splitlines()[0] for path in MODULES if (docstring := ast.get_docstring(ast.parse(path.read_text())))
    )
    assert [line for line, times in first_lines.items() if times > 1] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_error_is_swallowed(path):
    """Nothing catches everything, and nothing catches `Exception` only to go on in silence."""
    swallowed = []
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = {ast.unparse(node.type)} if node.type else {"everything"}
        if isinstance(node.type, ast.Tuple):
            caught = {ast.unparse(element) for element in node.type.elts}
        silent = all(
            isinstance(step, ast.Pass | ast.Continue)
            or (isinstance(step, ast.Expr) and isinstance(step.value, ast.Constant))
            for step in node.body
        )
        if "everything" in caught or (silent and caught & {"Exception", "BaseException"}):
            swallowed.append(f"line {node.lineno}")
    assert swallowed == []


def test_interfaces_are_short():
    """An interface is a promise on one page; what is longer has become an implementation."""
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in MODULES if path.name == "interface.py"}
    assert {name: length for name, length in lengths.items() if length > LONGEST_INTERFACE} == {}


def test_a_spider_is_called_as_its_file():
    """crawler/spiders/pastebin.py holds `PastebinSpider`, whose `name` is "pastebin"."""
    wrong = []
    for path in (ROOT / "crawler" / "spiders").glob("*.py"):
        if path.name.startswith("_"):
            continue
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.ClassDef) or not node.name.endswith("Spider") or node.name.startswith("_"):
                continue
            names = [value for target, value in constants(node) if target == "name"]
            if names != [path.stem] or node.name.lower() != f"{path.stem.replace('_', '')}spider":
                wrong.append(f"{name_of(path)}: {node.name} is named {names}")
    assert wrong == []


def constants(node: ast.ClassDef) -> Iterator[tuple[str, object]]:
    """Walk what a class body assigns plainly: (name, constant)."""
    for statement in node.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and isinstance(statement.value, ast.Constant):
            for target in statement.targets if isinstance(statement, ast.Assign) else [statement.target]:
                yield ast.unparse(target), statement.value.value


def test_every_package_is_shipped():
    """The list in pyproject.toml names exactly the folders that hold Python files."""
    found = {".".join(path.parent.relative_to(ROOT).parts) for path in MODULES}
    assert sorted(found) == sorted(PACKAGES)


def test_the_wheel_holds_the_rooms_and_nothing_else(tmp_path):
    """What is built is every tracked file of every room, templates and tables included, and no test."""
    tracked = [name for name in tracked_names() if name.partition("/")[0] in ROOMS]
    for name in [*tracked, "pyproject.toml", "README.md"]:
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / "source" / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--wheel-dir", tmp_path / "dist", tmp_path / "source"], check=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    built = [name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name]
    assert sorted(built) == sorted(tracked)


def test_every_room_ships_its_types():
    """Each room carries py.typed, so that its annotations count for others."""
    assert [room for room in ROOMS if not (ROOT / room / "py.typed").is_file()] == []


def test_no_machine_and_no_registry_is_named():
    """Tracked files name no path of somebody's machine and no package registry."""
    found = []
    for name, text in tracked_texts():
        if name == name_of(Path(__file__)):
            continue
        found += places(MACHINE_PATH, name, text) + places(REGISTRY, name, text)
    assert found == []


def test_only_invented_people_have_addresses():
    """Every e-mail address in a tracked file is under a domain that nobody can own."""
    found = []
    for name, text in tracked_texts():
        found += [
            f"{name}:{text.count(chr(10), 0, address.start()) + 1}"
            for address in MAIL_ADDRESS.finditer(text)
            if not INVENTED_DOMAIN.search(address[1].lower())
        ]
    assert found == []


@pytest.mark.parametrize(
    ("pattern", "text", "caught"),
    [
        (MACHINE_PATH, "see /home/ada/notes", True),
        (MACHINE_PATH, "/root/.cache", True),
        (MACHINE_PATH, "https://clinic.example/work/plan", False),
        (MACHINE_PATH, "/var/lib/spillwatch", False),
        (REGISTRY, "https://pypi.org/simple", True),
        (REGISTRY, "pypi", False),
    ],
)
def test_the_searches_find_what_they_are_for(pattern, text, caught):
    """The patterns of the two tests above catch what they should, and no more."""
    assert bool(pattern.search(text)) is caught


@pytest.mark.parametrize(
    ("text", "invented"),
    [
        ("wang.wei@clinic.example", True),
        ("officer@records.example.org", True),
        ("x@hospital.test", True),
        # Taken apart, so that this file passes its own test.
        ("zhang" + "@qq.com", False),
        ("somebody" + "@notexample.com", False),
    ],
)
def test_real_looking_addresses_are_seen(text, invented):
    """An address is taken as invented only under a reserved domain."""
    found = MAIL_ADDRESS.search(text)
    assert found
    assert bool(INVENTED_DOMAIN.search(found[1])) is invented
