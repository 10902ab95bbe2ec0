"""What the flags and arguments take, and nothing else."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.commands.table import COMMANDS, FlagSpec
from bot.commands.values import (
    is_agent_name,
    is_branch_name,
    is_model_name,
    is_run_reference,
    project_folder,
    value_of,
)

# fmt: off
BRANCHES = [
    'main', 'feature/x', 'a.b', 'a-b', 'a_b', 'a@b', 'a{b', 'A', 'é', '日本', '-a', 'a-', '.a', 'a.', 'a..b', 'a/.b',
    'a//b', '/a', 'a/', 'a.lock', 'a.lock/b', 'a.lockb', '@', '@{', 'a@{b', 'a~b', 'a^b', 'a:b', 'a?b', 'a*b',
    'a[b', 'a]b', 'a\\b', 'a"b', "a'b", 'a$b', 'a;b', 'a|b', 'a&b', 'a(b', 'a<b', 'HEAD', 'head', 'refs/heads/a',
    'a/HEAD', '@/a', 'a/@', 'a,b', 'a=b', 'a#b', 'a%b', 'a+b',
]
# fmt: on


@pytest.mark.parametrize("name", [*BRANCHES, "a b", "a\tb", "a\x7fb", "a\nb"])
def test_a_branch_name_is_what_git_takes(name: str) -> None:
    git = subprocess.run(["git", "check-ref-format", f"refs/heads/{name}"], check=False)
    # An option, HEAD and @ make legal references, but git refuses them as branches.
    expected = git.returncode == 0 and not name.startswith("-") and name not in {"HEAD", "@"}
    assert is_branch_name(name) == expected


def test_other_values() -> None:
    assert not is_branch_name("")
    assert not is_branch_name("a" * 245)
    assert not is_branch_name("é" * 123)
    assert not is_branch_name("a\u202eb")
    assert not is_branch_name("a\ud800")
    assert is_branch_name("a" * 244)
    assert is_agent_name("codex_cli")
    assert not is_agent_name("a" * 65)
    assert not is_agent_name("template\n")
    assert not is_agent_name("1a")
    assert is_run_reference("7f3a9c21")
    assert not is_run_reference("7f3a9c2")
    assert not is_run_reference("7f3a9c21-0b1d-4c53-9e0f-0123456789abc")
    assert not is_run_reference("7f3a9c21%")


@pytest.mark.parametrize("name", ["gpt-5.1-codex", "vendor/name:free", "claude@2026", "A.b_c", "a" * 100, "1"])
def test_a_model_name(name: str) -> None:
    assert is_model_name(name)


# fmt: off
NO_MODELS = [
    "", "-a", "--a", "a b", "a\n", "a;b", "$a", "a" * 101, "é", "a\u200b", "a\\b", "１", "a`b", "/a", ".", "a/../b",
    "a..b",
]
# fmt: on


@pytest.mark.parametrize("name", NO_MODELS)
def test_no_model_name(name: str) -> None:
    assert not is_model_name(name)


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("services/shop", "services/shop"),
        ("services/shop/", "services/shop"),
        ("./services", "services"),
        ("a", "a"),
        ("a b/c", "a b/c"),
        ("日本/é", "日本/é"),
        (".config/x", ".config/x"),
        ("...", "..."),
        ("a..b/c", "a..b/c"),
        ("a/-b", "a/-b"),
        (".gitignored", ".gitignored"),
        ("a" * 200, "a" * 200),
        ("a" * 200 + "/", "a" * 200),
    ],
)
def test_a_folder_of_the_repository(path: str, folder: str) -> None:
    assert project_folder(path) == folder
    assert project_folder(folder) == folder


# fmt: off
NO_FOLDERS = [
    "", "/", ".", "./", "..", "../", "../a", "a/..", "a/../b", "a/./b", "./../a", "././a", "/a", "//a", "a//b", "a//",
    ".//a", "-a", "--a", ":a", ":(top)a", "a\\b", "..\\a", "a\nb", "a\0b", "a\tb", "a\u202eb", "a\u200bb", "a\ud800",
    ".git", ".git/hooks", "a/.git", "a/.Git/x", "a" * 201,
    ".github", "a/.GitHub", "a*", "a?", "[a]", "{a}", "~", "~/a", "C:/a", " a", "a ", "a/ /../b",
]
# fmt: on


@pytest.mark.parametrize("path", NO_FOLDERS)
def test_no_folder_of_the_repository(path: str) -> None:
    assert project_folder(path) is None


@settings(max_examples=300, deadline=None)
@given(st.text("ab./-\\: é\n*~", max_size=12))
def test_a_folder_stays_within_the_repository(path: str) -> None:
    folder = project_folder(path)
    if folder is not None:
        segments = folder.split("/")
        assert not {"", ".", ".."} & set(segments)
        assert project_folder(folder) == folder


def test_every_example_in_the_table_is_taken_as_it_is() -> None:
    for flag in (flag for spec in COMMANDS for flag in spec.flags):
        for value in (*flag.allowed, *([flag.example] if flag.example else [])):
            assert value_of(flag, value) == value
    assert value_of(FlagSpec("--x", "", "switch"), "") is None
