"""Which texts a value of a repository's file may be."""

from __future__ import annotations

import re

import pytest

from bot.configuration import values


@pytest.mark.parametrize(
    ("rule", "right", "wrong"),
    [
        (
            values.PERSON,
            ["a", "octo-cat", "octocat_acme", "12345", "a-"],
            ["@a", "-a", "a b", "a.b", "a[bot]", "ä", "a\n"],
        ),
        (values.ACTOR, ["a", "a_b", "my-app[bot]"], ["@a", "[bot]", "a[bot]x", "a[bo]", "a b", "a[bot]\n", "a" * 40]),
        (values.TEAM, ["core", "core-team", "a_b"], ["@core", "acme/core", "Core", "-a", "a b"]),
        (values.LABEL, ["spec", "needs spec", "🚀", "a/b", "é"], [" a", "a ", "a\nb", "a\u202eb", "a\u200b"]),
        (values.AGENT, ["template", "codex_cli"], ["Codex", "1a", "a-b", "-x", "a b"]),
        (values.MODEL, ["gpt-5-codex", "anthropic/x:1.0", "a@b"], ["-m", "a b", "a;b", "$x", "a\n"]),
        (
            values.BRANCH,
            ["main", "release/1.x", "a-b", "é", "a@b"],
            ["-x", "/x", "x/", "a..b", "a b", "a~b", "@", "HEAD", ".x", "a/.b", "x.lock", "x.", "a@{b", "a\\b", "a\n"],
        ),
        (
            values.FOLDER,
            ["services/billing", "a", ".config", "a b", "é/ü"],
            [
                "/a",
                "a/",
                "../a",
                "a/..",
                "./a",
                "a//b",
                "a\\b",
                "*",
                ".git",
                "a/.GIT/b",
                ".github",
                "~",
                "C:/x",
                " a",
                "a\n",
            ],
        ),
        (
            values.GLOB,
            ["src/**", "src/", "*.md", "**/*.py", "**", "a/**/b", "a?.txt", ".config/*.toml", "Makefile", "a b/c"],
            [
                *("/src", "../x", "a/../b", "./a", "!a", ".git/**", ".github/x", "a/.git/b", ".g*/x", ".*", "a/.?x"),
                *("a**", "**b", "***", "{a,b}", "[ab]", "a\\b", "~/x", "C:/x", "a//b", " a", "a\n", "a\u202e"),
            ],
        ),
    ],
    ids=["person", "actor", "team", "label", "agent", "model", "branch", "folder", "glob"],
)
def test_which_texts_are_taken(rule: values.TextRule, right: list[str], wrong: list[str]) -> None:
    assert [text for text in right if rule.fault_of(text)] == []
    assert [text for text in wrong if not rule.fault_of(text)] == []
    # The published schema says the same; its patterns are searched for, and lengths stand beside them.
    assert [text for text in right if not re.search(rule.pattern, text)] == []
    assert [text for text in wrong if re.search(rule.pattern, text)] == []
