"""The title and the body of a pull request. Pure.

The body is made of marked sections. Only what stands between two marks is ever written again: what people added stays,
and a section whose marks they removed stays away. A run that continues a pull request writes the sections it knows
something about; the others keep what an earlier run wrote.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from bot.reporting import agent_facts, run_facts, sanitize
from bot.reporting.file_links import FilesAt
from bot.reporting.phase_report import phase_table
from bot.reporting.requirements import requirements_table
from bot.reporting.run_results import FINDINGS_HEAD, findings_rows, question_line
from bot.reporting.sections import count, listing
from db.models import SpecAutomationRun
from db.vocabulary import Verb

MAX_BODY = 65_536
LONGEST_TITLE = 200
LONGEST_REQUEST = 30_000
MOST_STORIES = 30
MOST_QUESTIONS = 50
MOST_LATER_COMMANDS = 20

_END = "<!-- /speckit-bot:section -->"
_SECTION = re.compile(
    r"^<!-- speckit-bot:section=([a-z-]+) -->\n(?:(.*?)\n)??^<!-- /speckit-bot:section -->$", re.DOTALL | re.MULTILINE
)
_ROUND = re.compile(r"^### Request, round (\d{1,4})$", re.MULTILINE)
_TOO_LONG = "*Too long to be shown here.*"
_UNLINKED = FilesAt()


def title(run: SpecAutomationRun) -> str:
    """A plain line from the heading of what was written, else from the issue's title."""
    for text in (agent_facts.heading(run), run.issue_title):
        if words := sanitize.plain(text):
            return sanitize.clip(words, LONGEST_TITLE)
    what = "Constitution" if run.verb == Verb.CONSTITUTION else "Specification"
    return f"{what} for issue {run.issue_number}"


def body(run: SpecAutomationRun, previous: str | None = None) -> str:
    """The body; with ``previous`` that body with its marked sections brought up to date.

    Bringing it up to date twice with the same run changes nothing. At most 65,536 characters, of which people's own
    text is never cut.
    """
    if previous is not None:
        # GitHub's form sends what people edit with the line ends of a form.
        previous = previous.replace("\r\n", "\n")
    before = {name: content or "" for name, content in _SECTION.findall(previous or "")}
    sections = _sections(run, before)
    text = _rendered(sections, previous, run)
    while len(text) > MAX_BODY:
        longest = max(sections, key=lambda name: len(sections[name]))
        if len(sections[longest]) <= len(_TOO_LONG):
            break
        sections[longest] = _TOO_LONG
        text = _rendered(sections, previous, run)
    return text


def _rendered(sections: Mapping[str, str], previous: str | None, run: SpecAutomationRun) -> str:
    if previous is None or not _SECTION.search(previous):
        if previous is not None and run.pull_request_number is not None:
            # Somebody took all of our sections out of it.
            return previous
        fresh = "\n\n".join(_marked(name, content) for name, content in sections.items())
        return f"{previous.rstrip()}\n\n{fresh}" if previous else fresh

    def renewed(found: re.Match[str]) -> str:
        content = sections.get(found[1])
        return found[0] if content is None else _marked(found[1], content)

    return _SECTION.sub(renewed, previous)


def _marked(name: str, content: str) -> str:
    return "\n".join([f"<!-- speckit-bot:section={name} -->", *([content] if content else []), _END])


def _sections(run: SpecAutomationRun, before: Mapping[str, str]) -> dict[str, str]:
    """Every section in its order. An empty one keeps its marks, so that it can be filled later."""
    old = {name: before.get(name, "") for name in _NAMES}
    known = {
        "request": _request(run, old["request"]),
        "later-commands": _later_commands(run, old["later-commands"]),
        "user-stories": _user_stories(run),
        "requirements": _requirements(run),
        "open-questions": _open_questions(run),
        "findings": _findings(run),
        "phases": _phases(run),
        "versions": run_facts.versions_line(run) or None,
        "references": f"Refs #{run.issue_number}" if run.pull_request_number is None else None,
    }
    return {name: old[name] if (content := known[name]) is None else content for name in _NAMES}


_NAMES = (
    "request",
    "later-commands",
    "user-stories",
    "requirements",
    "open-questions",
    "findings",
    "phases",
    "versions",
    "references",
)


def _request(run: SpecAutomationRun, old: str) -> str | None:
    """What was asked for, and in which round. Commands that are no new round leave it as it is."""
    verb, continues = Verb(run.verb), run.pull_request_number is not None
    if continues and verb not in {Verb.SPECIFY, Verb.CONSTITUTION}:
        return None
    by, text = sanitize.code(run.requested_by), sanitize.clip(run.requested_spec_input, LONGEST_REQUEST)
    quoted = f"\n\n{sanitize.quoted_block(text)}" if text.strip() else ""
    what = "asked for a constitution that says" if verb == Verb.CONSTITUTION else "asked for"
    if not continues:
        return f"### Request\n\n{by} {what}:{quoted}"
    told = f"run `{run_facts.short_id(run)}`"
    number = _ROUND.search(old)
    this_round = int(number[1]) if number is not None else 1
    # The same round when this run wrote the section already.
    this_round += 0 if f"({told})" in old.partition("\n>")[0] else 1
    return f"### Request, round {this_round}\n\n{by} {what} ({told}):{quoted}"


def _later_commands(run: SpecAutomationRun, old: str) -> str | None:
    """One line for each command that worked on the pull request after the request, the newest last."""
    if run.pull_request_number is None or run.verb in {Verb.SPECIFY, Verb.CONSTITUTION}:
        return None
    told = f"(run `{run_facts.short_id(run)}`)"
    lines = [line for line in old.split("\n") if line.startswith("- ") and not line.endswith(told)]
    text = run_facts.one_line(run.requested_spec_input)
    words = f"{sanitize.code(run.requested_by)} asked for {run_facts.asked_for(run)}{f': {text}' if text else ''}"
    lines.append(f"- {words} {told}")
    return "\n".join(["### Commands since", "", *lines[-MOST_LATER_COMMANDS:]])


def _user_stories(run: SpecAutomationRun) -> str | None:
    if not agent_facts.tells(run, "user_stories"):
        return None
    stories = [story for story in agent_facts.user_stories(run) if story.strip()]
    lines = (run_facts.one_line(story) for story in stories)
    return _section("### User stories", listing(lines, len(stories), MOST_STORIES))


def _requirements(run: SpecAutomationRun) -> str | None:
    if not agent_facts.tells(run, "requirements"):
        return None
    table = requirements_table(agent_facts.requirements_before(run), agent_facts.requirements(run))
    return _section("### Requirements", [table] if table else [])


def _open_questions(run: SpecAutomationRun) -> str | None:
    if not agent_facts.tells(run, "open_questions"):
        return None
    questions = agent_facts.open_questions(run)
    lines = (question_line(asked, _UNLINKED) for asked in questions)
    return _section("### Open questions", listing(lines, len(questions), MOST_QUESTIONS))


def _findings(run: SpecAutomationRun) -> str | None:
    if not agent_facts.tells(run, "findings"):
        return None
    found, sha = agent_facts.findings(run), run.head_sha or run.report.check_run_sha
    at = f" at {sha[:12]}" if sha else ""
    if not found:
        return f"### Analysis\n\nNothing to object to{at}."
    rows = findings_rows(found, _UNLINKED)
    more = [f"\nAnd {len(found) - len(rows)} more."] if len(found) > len(rows) else []
    return _section("### Analysis", [f"{count(len(found), 'finding')}{at}:", "", *FINDINGS_HEAD, *rows, *more])


def _phases(run: SpecAutomationRun) -> str:
    table = phase_table(run, without_ending=True)
    if run.pull_request_number is None:
        return f"### Phases\n\n{table}"
    words = f"Of run `{run_facts.short_id(run)}`, {run_facts.asked_for(run)} for {sanitize.code(run.requested_by)}:"
    return f"### Phases\n\n{words}\n\n{table}"


def _section(heading: str, lines: list[str]) -> str:
    return "\n".join([heading, "", *lines]) if lines else ""
