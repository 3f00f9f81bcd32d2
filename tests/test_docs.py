"""The README, the guide and the presets are checked against what the command line and the package take."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
import typer

from grubench.cli import app
from grubench.cli.pages import adapt_to_terminal, list_topics, summarize_page
from grubench.presets import list_presets

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = sorted((ROOT / "grubench" / "guide").glob("*.md"))
MARKDOWN = [README, *PAGES]
PRESETS = sorted((ROOT / "experiments").glob("*.toml"))
MAX_README_LINES = 200
MAX_LINE_LENGTH = 120
CODE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)", re.MULTILINE)


def without_code(text: str) -> str:
    return CODE.sub("", text)


def list_commands(path: Path) -> list[str]:
    """The commands of a text: in a preset's comments; in a page's code, or quoted in its sentences."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".toml":
        commands = re.findall(r"^#\s+(grubench .*)", text, flags=re.MULTILINE)
    else:
        code = "\n".join(CODE.findall(text))
        commands = re.findall(r"^(?:\$ |ray job submit -- )?(grubench .*)", code, flags=re.MULTILINE)
        commands += re.findall(r"`(grubench [^`]+)`", without_code(text))
    return [re.sub(r"\s+#.*", "", command) for command in commands]


COMMANDS = sorted({command for path in [*MARKDOWN, *PRESETS] for command in list_commands(path)})


def test_there_are_commands_to_check() -> None:
    assert len(COMMANDS) > 50
    assert all(list_commands(path) for path in PRESETS)


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_in_the_docs_is_valid(line: str) -> None:
    group = typer.main.get_command(app)
    name, *words = shlex.split(line)[1:] or ["--help"]
    if name.startswith("--"):
        assert name in {flag for parameter in group.params for flag in parameter.opts} | {"--help"}
        return
    assert name in group.commands, line
    if {"--help", "--help-all"} & set(words):
        assert len(words) == 1, line
        return
    # Flags and their values are parsed as in a call; nothing runs.
    group.commands[name].make_context(name, [word for word in words if word != "..."], resilient_parsing=False)


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: path.name)
def test_every_flag_in_the_docs_exists(path: Path) -> None:
    group = typer.main.get_command(app)
    flags = {"--help", "--help-all"} | {
        flag
        for command in (group, *group.commands.values())
        for parameter in command.params
        for flag in (*parameter.opts, *parameter.secondary_opts)
    }
    quoted = re.findall(r"`(--[a-z-]+)[^`]*`", without_code(path.read_text(encoding="utf-8")))
    assert set(quoted) <= flags


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: path.name)
def test_every_make_target_in_the_docs_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    named = re.findall(r"(?:^|`)make ([a-z-]+)", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert set(named) <= targets


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: path.name)
def test_every_module_in_the_docs_exists(path: Path) -> None:
    for name in re.findall(r"`([a-z_/]+/[a-z_]+\.py)`", path.read_text(encoding="utf-8")):
        assert (ROOT / name).is_file() or (ROOT / "grubench" / name).is_file(), name


def test_every_extra_in_the_docs_exists() -> None:
    extras = set(
        tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    )
    for path in MARKDOWN:
        for listed in re.findall(r"'\.\[([a-z,]+)\]'", path.read_text(encoding="utf-8")):
            assert set(listed.split(",")) <= extras


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)", without_code(path.read_text(encoding="utf-8")), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: path.name)
def test_internal_links_resolve(path: Path) -> None:
    for inline, reference in LINK.findall(without_code(path.read_text(encoding="utf-8"))):
        target, _, anchor = (inline or reference).partition("#")
        if target.startswith(("https://", "http://")):
            continue
        linked = (path.parent / target).resolve() if target else path
        assert linked.exists(), target
        assert linked.is_relative_to(ROOT)
        if anchor:
            assert anchor in anchors(linked), f"{target}#{anchor}"


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: path.name)
def test_python_code_imports_and_calls_what_exists(path: Path) -> None:
    """Names are imported, and each call of an imported function fits its signature; nothing is trained."""
    for code in re.findall(r"^```python\n(.*?)^```", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE):
        tree = ast.parse(code)
        imported = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert all(find_spec(alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                module = import_module(str(node.module))
                imported |= {alias.asname or alias.name: getattr(module, alias.name) for alias in node.names}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in imported:
                keywords = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
                inspect.signature(imported[node.func.id]).bind(*node.args, **keywords)


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: path.name)
def test_lines_are_short(path: Path) -> None:
    """Tables of the guide may be wider; those of the README may not."""
    for line in path.read_text(encoding="utf-8").splitlines():
        assert len(line) <= MAX_LINE_LENGTH or (path != README and line.startswith("|")), line


def test_the_readme_is_short_and_links_every_page() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_README_LINES
    for path in PAGES:
        assert f"(grubench/guide/{path.name})" in text


def test_every_preset_is_named() -> None:
    for text in (README, ROOT / "grubench" / "guide" / "workloads.md"):
        for name in list_presets():
            assert f"`{name}`" in text.read_text(encoding="utf-8")


class TestGuide:
    """`grubench guide` lists and shows the pages."""

    def test_every_page_is_listed_with_its_summary(self, call) -> None:
        result = call("guide")
        assert result.exit_code == 0, result.output
        said = " ".join(result.output.split())
        assert list_topics() == ["start", *(path.stem for path in PAGES if path.stem != "start")]
        for path in PAGES:
            text = path.read_text(encoding="utf-8")
            assert text.startswith("# ")
            assert f"{path.stem} {summarize_page(text)[:20]}" in said

    @pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
    def test_every_page_is_shown(self, call, path: Path) -> None:
        result = call("guide", path.stem)
        assert result.exit_code == 0, result.output
        assert "\x1b" not in result.output  # not a terminal: no colors, no pager
        for heading in re.findall(r"^## (.+)", without_code(path.read_text(encoding="utf-8")), flags=re.MULTILINE):
            assert heading in result.output

    def test_a_topic_that_is_not_there_names_the_closest(self, call) -> None:
        result = call("guide", "own-date")
        assert result.exit_code == 2
        assert "own-data?" in result.output
        assert "tables-and-verdict" in result.output

    def test_links_lead_somewhere_from_a_terminal(self) -> None:
        text = "[Data](own-data.md#the-file), [all](../../experiments), [Keras](https://keras.io), ![Loss](a/b.png)"
        assert adapt_to_terminal(text) == (
            "Data (`grubench guide own-data`), all, [Keras](https://keras.io), *Picture: Loss*"
        )
