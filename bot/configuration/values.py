"""Which texts a value of ``.github/speckit.yml`` may be. Pure.

Each rule is a list of faults, so that the sentence a person reads, the check and the pattern of the published schema
are one thing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Controls, and what cannot be seen or turns the direction of writing.
_INVISIBLE = r"[\x00-\x1f\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
_EDGE_SPACE = (r"^\s|\s$", "it begins or ends with a space")
_HIDDEN = (_INVISIBLE, "it holds a character that cannot be seen")


@dataclass(frozen=True, slots=True)
class TextRule:
    """What a text must be.

    ``title`` completes "it takes ..."; ``faults`` are pairs of what must not be found (a regular expression that Python
    and ECMA-262 read alike) and what to say then; ``longest`` counts characters.
    """

    title: str
    longest: int
    faults: tuple[tuple[str, str], ...]

    def fault_of(self, text: str) -> str | None:
        """What is wrong with ``text``, in words that follow "but", or None."""
        return next((words for pattern, words in self.faults if re.search(pattern, text)), None)

    def check(self, text: str) -> str:
        """``text`` itself. Raises ValueError with the words of ``fault_of``."""
        if fault := self.fault_of(text):
            raise ValueError(fault)
        return text

    @property
    def pattern(self) -> str:
        """The rule as one regular expression, for JSON Schema."""
        return "^" + "".join(rf"(?![\s\S]*(?:{pattern}))" for pattern, _ in self.faults)


# GitHub allows letters, digits and hyphens; logins of managed users also hold an underscore.
PERSON = TextRule(
    "a GitHub login",
    39,
    (
        (r"^@", "a login is written without the @"),
        (r"^[-_]", "a login begins with a letter or a digit"),
        (r"[^A-Za-z0-9_-]", "a login has only letters, digits, - and _"),
    ),
)
ACTOR = TextRule(
    "a GitHub login, an App's with its [bot]",
    44,
    (
        (r"^@", "a login is written without the @"),
        (
            r"^(?![A-Za-z0-9][A-Za-z0-9_-]{0,38}(?:\[bot\])?(?![\s\S]))",
            "a login has only letters, digits, - and _, and at its end [bot] if it is an App's",
        ),
    ),
)
TEAM = TextRule(
    "the short name of a team, as in its URL",
    100,
    (
        (r"^@", "a team is written without the @"),
        (r"/", "a team is written without its organisation"),
        (r"[^a-z0-9_-]", "it has only small letters, digits, - and _"),
        (r"^[-_]", "it has to begin with a letter or a digit"),
    ),
)
LABEL = TextRule("the name of a label", 50, (_HIDDEN, _EDGE_SPACE))
AGENT = TextRule(
    "the name of an agent",
    64,
    ((r"^[^a-z]", "it has to begin with a small letter"), (r"[^a-z0-9_]", "it has only small letters, digits and _")),
)
MODEL = TextRule(
    "the name of a model",
    100,
    (
        (r"^[^A-Za-z0-9]", "it has to begin with a letter or a digit"),
        (r"[^A-Za-z0-9._:/@-]", "it has only letters, digits and . _ : / @ -"),
    ),
)
_HOST_LABEL = r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_HOST_LETTERS = "it has small letters, digits, hyphens and dots, and perhaps *. before them"
HOST = TextRule(
    "the name of a host, perhaps with *. before it",
    253,
    (
        (r"[/:@=]", "it is the name of a host alone, without https://, a port, a path or a user"),
        (r"[^a-z0-9._*-]", _HOST_LETTERS),
        (rf"^(?!(?:\*\.)?{_HOST_LABEL}(?:\.{_HOST_LABEL})*$)", _HOST_LETTERS),
    ),
)
# https://git-scm.com/docs/git-check-ref-format, rules 1 to 10 for one name below refs/heads/.
BRANCH = TextRule(
    "the name of a branch",
    200,
    (
        _HIDDEN,
        (r"\s", "it holds a space"),
        (r"^[-/]|[/.]$|//|\.\.|(?:^|/)\.|\.lock(?:/|$)", "git takes no such name"),
        (r"[~^:?*\[\\]|@\{|^@$|^HEAD$", "git takes no such name"),
    ),
)

_RELATIVE = (r"^[/~]|^[A-Za-z]:", "it is to be written from the top of the repository, without a / before it")
_PATH_FAULTS = (
    _HIDDEN,
    _EDGE_SPACE,
    (r"\\", "folders are separated by /"),
    _RELATIVE,
    (r"(?:^|/)\.\.?(?:/|$)", "it holds . or .. as a folder"),
    (r"//", "it holds // and so a folder without a name"),
    (r"(?:^|/)\.[gG][iI][tT](?:[hH][uU][bB])?(?:/|$)", ".git and .github are nobody's to write"),
)
FOLDER = TextRule(
    "the path of a folder from the top of the repository",
    200,
    (
        *_PATH_FAULTS,
        (r"/$", "it is written without a / at its end"),
        (r"[*?\[\]{}]", "it is one folder, without wildcards"),
    ),
)
GLOB = TextRule(
    "a glob from the top of the repository",
    200,
    (
        *_PATH_FAULTS,
        (r"^!", "what may not be written is left out, not marked with !"),
        (r"[\[\]{}]", "the wildcards are *, ** and ?"),
        (r"[^/]\*\*|\*\*[^/]", "** stands alone between two /"),
        (r"(?:^|/)\.[^/]*[*?]", "a name that begins with a dot is written in full"),
    ),
)
