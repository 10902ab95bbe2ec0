"""The help: what this person may do here now, made from the table."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from bot.authorization import ROLE_ORDER, may
from bot.commands.help import help_text, reference_page
from bot.commands.model import Place
from bot.commands.parser import parse
from bot.commands.table import COMMANDS, DEFAULT_ROLES
from tests.bot.labelled import MENTION

STRICT = {**DEFAULT_ROLES, "constitution": "admin", "implement": "maintain", "status": "triage"}


@pytest.mark.parametrize("roles_needed", [DEFAULT_ROLES, STRICT, {}, {"specify": "nonsense"}])
@pytest.mark.parametrize("commands_off", [(), ("implement", "refine")])
@pytest.mark.parametrize("place", Place)
@pytest.mark.parametrize("role", [*ROLE_ORDER, "my-custom-role"])
def test_the_help_offers_what_this_person_may_do_here_now_and_says_why_not_of_the_rest(
    role: str, place: Place, commands_off: tuple[str, ...], roles_needed: dict[str, str]
) -> None:
    listing = help_text("/speckit", role_held=role, place=place, roles_needed=roles_needed, commands_off=commands_off)
    for spec in COMMANDS:
        offered = f"| `/speckit {spec.form}` |" in listing
        is_open = may(spec.verb, role, roles_needed) and spec.verb not in commands_off
        assert offered == (is_open and place in spec.places)
        reasons = [line for line in listing.splitlines() if line.startswith("- ") and f"`{spec.verb}`" in line]
        assert len(reasons) == (not offered)


@pytest.mark.parametrize("prefix", ["/speckit", "/speckit-staging", "!spec"])
@pytest.mark.parametrize("role", ["none", "read", "write", "admin"])
def test_no_help_is_ever_taken_for_a_command(role: str, prefix: str) -> None:
    pages = [help_text(prefix, role_held=role, place=place) for place in Place]
    pages += [help_text(prefix, role_held=role, place=Place.ISSUE, verb=spec.verb) for spec in COMMANDS]
    for page in [*pages, reference_page()]:
        assert parse(page, prefix, MENTION) == []
        assert not any(line.startswith(("/", "!", "@")) for line in page.splitlines())


def test_the_help_for_a_verb_tells_all_of_it() -> None:
    for spec in COMMANDS:
        page = help_text("/speckit", role_held="admin", place=Place.ISSUE, verb=spec.verb)
        assert page.startswith(f"`/speckit {spec.usage}`\n")
        assert spec.summary in page
        assert spec.details in page
        assert all(flag.usage in page and flag.summary in page for flag in spec.flags)
        assert all(value in page for flag in spec.flags for value in flag.allowed)
        assert all(f"`/speckit {example}`" in page for example in spec.examples)
    nonsense = help_text("/speckit", role_held="write", place=Place.ISSUE, verb="nonsense")
    assert nonsense == help_text("/speckit", role_held="write", place=Place.ISSUE)


def test_the_reference_lists_every_verb_and_flag() -> None:
    page = reference_page()
    for spec in COMMANDS:
        assert f"\n## {spec.verb}\n" in page
        assert f"| `/speckit {spec.form}` |" in page
        assert all(f"| `{flag.usage}` |" in page for flag in spec.flags)


def test_help_for_a_reader_of_an_issue() -> None:
    assert help_text("/speckit", role_held="read", place=Place.ISSUE) == snapshot("""\
You can ask for, here and now:

| command | does |
|---|---|
| `/speckit status` | Tell how the runs of this issue or pull request stand. |
| `/speckit config` | Show the settings in force here, and where each comes from. |
| `/speckit help [VERB]` | List what you can ask for here, or explain VERB. |

Example: `/speckit status`

There is more:

- With the *write* role (an administrator of this repository can grant it): `specify`, `clarify`, `plan`, `tasks`, `checklist`, `analyze`, `implement`, `constitution`, `refine`, `retry`, `cancel`.

`/speckit help VERB` explains one of them, with its flags.
""")


def test_help_for_a_writer_on_an_issue_of_a_repository_with_a_configuration() -> None:
    assert help_text(
        "/speckit", role_held="write", place=Place.ISSUE, roles_needed=STRICT, commands_off=["checklist"]
    ) == snapshot("""\
You can ask for, here and now:

| command | does |
|---|---|
| `/speckit specify [TEXT]` | Write a specification, a plan and tasks from TEXT and open a draft pull request with them. |
| `/speckit retry [PHASE]` | Do the newest run again, from where it ended or from PHASE. |
| `/speckit cancel [RUN]` | Stop the newest run that is still alive, or the one that RUN names (its id, or at least 8 characters of it). |
| `/speckit status` | Tell how the runs of this issue or pull request stand. |
| `/speckit config` | Show the settings in force here, and where each comes from. |
| `/speckit help [VERB]` | List what you can ask for here, or explain VERB. |

Example: `/speckit specify Let customers pay by invoice. Net 30, EU only.`

There is more:

- On a pull request: `clarify`, `plan`, `tasks`, `analyze`.
- On a pull request or in a review comment: `refine`.
- With the *maintain* role (an administrator of this repository can grant it): `implement`.
- With the *admin* role (an administrator of this repository can grant it): `constitution`.
- Switched off by the configuration of this repository: `checklist`.

`/speckit help VERB` explains one of them, with its flags.
""")


def test_help_for_a_writer_on_a_pull_request() -> None:
    assert help_text("/speckit", role_held="write", place=Place.PULL_REQUEST) == snapshot("""\
You can ask for, here and now:

| command | does |
|---|---|
| `/speckit specify [TEXT]` | Write a specification, a plan and tasks from TEXT and open a draft pull request with them. |
| `/speckit clarify [ANSWERS]` | Ask what is unclear in the specification, or take the ANSWERS. |
| `/speckit plan [TEXT]` | Make the plan and the tasks anew on the branch of this pull request, heeding TEXT. |
| `/speckit tasks [TEXT]` | Make the tasks anew from the plan of this pull request, heeding TEXT. |
| `/speckit checklist [TEXT]` | Write a checklist that tests the requirements, about TEXT or about everything. |
| `/speckit analyze` | Tell where specification, plan and tasks do not fit together. Changes no file. |
| `/speckit implement [TEXT]` | Carry out the tasks, or those that TEXT names, in the paths this repository's configuration allows. |
| `/speckit refine TEXT` | Change one section of the specification as TEXT says. |
| `/speckit retry [PHASE]` | Do the newest run again, from where it ended or from PHASE. |
| `/speckit cancel [RUN]` | Stop the newest run that is still alive, or the one that RUN names (its id, or at least 8 characters of it). |
| `/speckit status` | Tell how the runs of this issue or pull request stand. |
| `/speckit config` | Show the settings in force here, and where each comes from. |
| `/speckit help [VERB]` | List what you can ask for here, or explain VERB. |

Example: `/speckit specify Let customers pay by invoice. Net 30, EU only.`

There is more:

- On an issue: `constitution`.

`/speckit help VERB` explains one of them, with its flags.
""")


def test_help_for_a_writer_in_a_review_comment() -> None:
    assert help_text("/speckit", role_held="write", place=Place.REVIEW_COMMENT) == snapshot("""\
You can ask for, here and now:

| command | does |
|---|---|
| `/speckit refine TEXT` | Change one section of the specification as TEXT says. |
| `/speckit help [VERB]` | List what you can ask for here, or explain VERB. |

Example: `/speckit refine Success criteria: name the time limit.`

There is more:

- On an issue or on a pull request: `specify`, `retry`, `cancel`, `status`, `config`.
- On a pull request: `clarify`, `plan`, `tasks`, `checklist`, `analyze`, `implement`.
- On an issue: `constitution`.

`/speckit help VERB` explains one of them, with its flags.
""")


def test_help_for_somebody_for_whom_nothing_is_here() -> None:
    assert help_text("/speckit", role_held="none", place=Place.ISSUE) == snapshot("""\
Nothing for you here, but there is:

- With the *read* role (an administrator of this repository can grant it): `status`, `config`, `help`.
- With the *write* role (an administrator of this repository can grant it): `specify`, `clarify`, `plan`, `tasks`, `checklist`, `analyze`, `implement`, `constitution`, `refine`, `retry`, `cancel`.

`/speckit help VERB` explains one of them, with its flags.
""")


def test_help_for_one_verb() -> None:
    assert help_text("/speckit", role_held="read", place=Place.ISSUE, verb="specify") == snapshot("""\
`/speckit specify [--base BRANCH] [--until PHASE] [--agent NAME] [--model MODEL] [--dry-run] [--project PATH] [TEXT]`

Write a specification, a plan and tasks from TEXT and open a draft pull request with them.

On an issue TEXT may be left out: it is then the issue's title and description. On a pull request that this App opened, TEXT starts a new round of its specification, on the same branch.

| flag | does |
|---|---|
| `--base BRANCH` | Start from this branch instead of the default branch. |
| `--until PHASE` | Stop after this phase. One of `specify`, `plan`, `tasks`. |
| `--agent NAME` | Work with this agent instead of the default one. |
| `--model MODEL` | Let the agent use this model instead of its default one. |
| `--dry-run` | Do everything except pushing and opening a pull request; keep the patch. |
| `--project PATH` | Work in this folder of a repository that holds several. |

Where: on an issue or on a pull request. Needs the *write* role or better (you hold *read*; an administrator of this repository can grant it).

Examples: `/speckit specify Let customers pay by invoice. Net 30, EU only.`, `/speckit specify --until plan --base release/1.2`
""")


def test_help_for_a_verb_that_is_switched_off() -> None:
    page = help_text("/speckit", role_held="write", place=Place.ISSUE, commands_off=["implement"], verb="implement")
    assert "Needs the *write* role or better, but is switched off by the configuration of this repository." in page
