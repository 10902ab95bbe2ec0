"""What came of a run: files, open questions, findings, and files that no longer fit. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.reporting import agent_facts, run_facts, sanitize
from bot.reporting.agent_facts import Finding, OpenQuestion
from bot.reporting.file_links import FilesAt
from bot.reporting.run_view import RunView
from bot.reporting.sections import count, first_rows, joined, listing
from db.models import SpecAutomationRun
from db.vocabulary import Phase, Verb

MOST_QUESTIONS = 10
MOST_FILES = 30
MOST_FINDINGS = 30
TABLE_CHARACTERS = 20_000


def results(run: SpecAutomationRun, view: RunView) -> list[str]:
    """All of it, part by part, what asks for somebody first. Parts without content are left out."""
    at = files_at(run, view)
    parts = [
        refined(run, view) if run.verb == Verb.REFINE else "",
        questions_part(agent_facts.open_questions(run), at),
        findings_part(run, view),
        stale_part(agent_facts.stale_files(run), at),
        files_part(run, view),
    ]
    return [part for part in parts if part]


def files_at(run: SpecAutomationRun, view: RunView) -> FilesAt:
    """The files at the commit the run speaks of: the one it pushed, else the one it looked at."""
    return FilesAt(view.repository_url, run.head_sha or run.report.check_run_sha)


def files_part(run: SpecAutomationRun, view: RunView) -> str:
    """The files the run wrote, and with how many lines."""
    files = agent_facts.changed_files(run)
    if not files or not (run.dry_run or run.head_sha):
        return ""
    at = FilesAt(view.repository_url, None if run.dry_run else run.head_sha)
    lines = (f"{at.link(file.path)} {count(file.added_lines, 'line')}" for file in files)
    title = "Files it would have pushed:" if run.dry_run else f"Files at commit {at.commit()}:"
    return "\n".join([title, "", *listing(lines, len(files), MOST_FILES)])


def questions_part(questions: Sequence[OpenQuestion], at: FilesAt) -> str:
    """The questions that are marked in the files."""
    if not questions:
        return ""
    ask = "**One question is open:**" if len(questions) == 1 else f"**{len(questions)} questions are open:**"
    lines = (question_line(asked, at) for asked in questions)
    return "\n".join([ask, "", *listing(lines, len(questions), MOST_QUESTIONS)])


def question_line(asked: OpenQuestion, at: FilesAt) -> str:
    """Where it stands and what it asks."""
    return f"{at.link(asked.path, asked.line)} {run_facts.one_line(asked.text)}".rstrip()


def findings_part(run: SpecAutomationRun, view: RunView) -> str:
    """The table of what the analysis found; what does not fit is on the run page."""
    found = agent_facts.findings(run)
    if not found:
        return ""
    rows = findings_rows(found, files_at(run, view))
    page = run_facts.run_page(run, view.run_page_base)
    where = f" on the [run page]({page})" if page else ""
    more = [f"\nAnd {len(found) - len(rows)} more{where}."] if len(found) > len(rows) else []
    return "\n".join([*FINDINGS_HEAD, *rows, *more])


FINDINGS_HEAD = ("| severity | where | finding | what to do |", "|---|---|---|---|")


def findings_rows(found: Sequence[Finding], at: FilesAt) -> list[str]:
    """Rows of the table, as many as fit, the gravest first."""
    return first_rows((_finding_row(finding, at) for finding in found), MOST_FINDINGS, TABLE_CHARACTERS)


def _finding_row(finding: Finding, at: FilesAt) -> str:
    severity = sanitize.table_cell(finding.severity, 20)
    where = at.link(finding.path, finding.line) if finding.path else ""
    named = " ".join(sanitize.table_cell(text, 40) for text in (finding.id, finding.category) if text)
    summary = " ".join(text for text in (named and f"*{named}:*", sanitize.table_cell(finding.summary)) if text)
    return f"| {severity} | {where} | {summary} | {sanitize.table_cell(finding.recommendation)} |"


def stale_part(stale: Sequence[str], at: FilesAt) -> str:
    """Which files were written before something they build on changed."""
    if not stale:
        return ""
    named = [at.link(path) for path in stale[:MOST_FILES]]
    if len(stale) > MOST_FILES:
        named.append(f"{len(stale) - MOST_FILES} more")
    builds = "builds" if len(stale) == 1 else "build"
    return f"⚠️ Out of date, because what {'it' if len(stale) == 1 else 'they'} {builds} on changed: {joined(named)}."


def refined(run: SpecAutomationRun, view: RunView) -> str:
    """Where the changed section is, and the commit that did it."""
    section, sha = agent_facts.refined_section(run), agent_facts.commit_of(run, Phase.SPECKIT_REFINE)
    if section is None or not sha or run.dry_run:
        return ""
    at = FilesAt(view.repository_url, sha)
    return f"It is at {at.link(section.path, section.line)}, changed by commit {at.commit()}."
