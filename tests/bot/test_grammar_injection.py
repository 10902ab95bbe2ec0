"""What people who mean harm put where a value stands reaches no program: it is refused, or it can do nothing there."""

from __future__ import annotations

import pytest

from bot.commands.model import Cancel, Help, ParseProblem, Retry, RunCommand
from bot.commands.parser import parse
from bot.commands.table import COMMANDS_BY_VERB

# fmt: off
PAYLOADS = [
    "-h", "--help", "--upload-pack=id", "--exec=id", "-c core.pager=id", "-oProxyCommand=id", "--", "---", "-", "−h",
    "—h", "$(id)", "`id`", "${IFS}id", "$HOME", "%PATH%", "!id", "a;id", "a|id", "a||id", "a&id", "a&&id", "a>b", "a<b",
    "a\nid", "a\rid", "a\tid", "a id", "'a", '"a', "a'b", 'a"b', "a\\", "\\", "a\0b", "a\x1b[2J", "a\x7f", "{a,b}",
    "a*", "?", "[a]", "~", "~root", "../../etc/passwd", "/etc/passwd", "a/../../b", "..\\..\\x", "C:\\x",
    "\\\\host\\x", "file:///etc/passwd", "http://a.example/x", "ssh://-oProxyCommand=id/x", "ext::sh -c id",
    ":(exclude)a", ":/a", "a@{1}", "a..b", "a^{}", "a~1", "HEAD", "@", "refs/heads/../x", ".git",
    ".git/hooks/pre-push", "a.lock", "' OR 1=1 --", "%", "_", "1;DROP TABLE runs", "{{7*7}}", "${jndi:ldap://x}",
    "%s%n", "\u202ea", "a\u200bb", "a\u00a0b", "a\u2028b", "\ufeffa", "１", "аdmin", "a" * 300, "<script>", "a#b",
    "a=b", "null", "None", "0", "-1", "\ud800",
]
# fmt: on
FLAGS = [flag.name for flag in COMMANDS_BY_VERB["specify"].flags if flag.value]


def is_harmless(value: str) -> bool:
    """True if a value can be neither an option nor two words nor a way out of a folder, and all of it can be seen."""
    return (
        value.isprintable()
        and not value.startswith(("-", "/", "~", ":"))
        and ".." not in value.split("/")
        and not set(value) & set("\\*?[")
        and len(value.encode()) <= 250
    )


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("payload", PAYLOADS, ids=ascii)
def test_a_flag_takes_nothing_harmful(flag: str, payload: str) -> None:
    for written in (f"{flag} {payload}", f"{flag}={payload}", f'{flag} "{payload}"', f"{flag} '{payload}'"):
        command = parse(f"/speckit specify {written} text")[0].command
        if isinstance(command, RunCommand):
            values = (command.base, command.agent, command.model, command.project)
            assert all(is_harmless(value) for value in values if value is not None)
        else:
            assert isinstance(command, ParseProblem)
            assert "\n" not in command.found


@pytest.mark.parametrize("verb", ["cancel", "retry", "help"])
@pytest.mark.parametrize("payload", PAYLOADS, ids=ascii)
def test_an_argument_is_one_of_those_we_know_or_refused(verb: str, payload: str) -> None:
    command = parse(f"/speckit {verb} {payload}")[0].command
    # A line end or two dashes end the argument before it begins.
    nothing = payload.partition("\n")[0].strip() in {"", "--"}
    assert isinstance(command, ParseProblem) or (nothing and command in (Cancel(), Retry(), Help()))
