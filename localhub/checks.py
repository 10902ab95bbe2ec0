"""Check runs and their suites. Only Apps write them, and only the App that made one may change it.

https://docs.github.com/en/rest/checks/runs
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from localhub import apps
from localhub.announcements import tell_check_run, tell_check_suite
from localhub.errors import ApiError, not_found
from localhub.git_repository import ZERO
from localhub.model import App, CheckRun, CheckSuite, Repository, User, utc_now
from localhub.state import State

OUTPUT_LIMIT = 65_535
ANNOTATIONS_PER_REQUEST = 50
ACTIONS_LIMIT = 3
ACTION_LIMITS = {"label": 20, "identifier": 20, "description": 40}
STATUSES = ("queued", "in_progress", "completed")
CONCLUSIONS = ("success", "failure", "neutral", "cancelled", "timed_out", "action_required", "skipped")
LEVELS = ("notice", "warning", "failure")


def _invalid(sentence: str) -> ApiError:
    return ApiError(422, f"Invalid request.\n\n{sentence}")


def check_run_of(repository: Repository, number: int) -> CheckRun:
    """A check run by id. Raises ApiError 404."""
    found = repository.check_runs.get(number)
    if found is None:
        raise not_found()
    return found


def suite_of(state: State, repository: Repository, app: App, head_sha: str) -> CheckSuite:
    """The suite of an App on a commit, made when missing."""
    for suite in repository.check_suites.values():
        if suite.app is app and suite.head_sha == head_sha:
            return suite
    branch = next((name for name, sha in repository.git.branches().items() if sha == head_sha), None)
    suite = CheckSuite(repository, state.new_id(), app, head_sha, branch)
    repository.check_suites[suite.id] = suite
    return suite


def request_suites(state: State, repository: Repository, branch: str, moved: tuple[str, str], pusher: User) -> None:
    """After a push: a suite for every App that asked for ``check_suite`` and may write checks, and its event."""
    before, head_sha = moved
    for installation in state.webhooks.subscribers("check_suite", repository):
        if apps.covers(installation.permissions, "checks", "write"):
            suite = suite_of(state, repository, installation.app, head_sha)
            suite.head_branch, suite.before = branch, None if before == ZERO else before
            tell_check_suite(state, suite, "requested", pusher)


def create(state: State, repository: Repository, app: App, head_sha: str, wish: Mapping[str, object]) -> CheckRun:
    """Create a check run on an existing commit. Raises ApiError 422."""
    name = wish.get("name")
    if not isinstance(name, str) or not name:
        raise _invalid('"name" wasn\'t supplied.')
    run = CheckRun(repository, state.new_id(), app, suite_of(state, repository, app, head_sha), name, head_sha)
    run.started_at = utc_now()
    _apply(run, wish)
    repository.check_runs[run.id] = run
    run.suite.requeued = False
    tell_check_run(state, run, "created", app.bot)
    if run.status == "completed":
        _tell_completed(state, run)
    return run


def update(state: State, run: CheckRun, app: App, wish: Mapping[str, object]) -> None:
    """Change a check run. Raises ApiError 403 for another App's, 422 for the fields."""
    if run.app is not app:
        sentence = f"Invalid app_id `{app.id}` - check run can only be modified by the GitHub App that created it."
        raise ApiError(403, sentence)
    was = run.status
    if "name" in wish:
        run.name = _text(wish, "name")
    _apply(run, wish)
    run.updates += 1
    run.suite.requeued = False
    if run.status == "completed" and was != "completed":
        _tell_completed(state, run)


def _tell_completed(state: State, run: CheckRun) -> None:
    tell_check_run(state, run, "completed", run.app.bot)
    if run.suite.status == "completed":
        tell_check_suite(state, run.suite, "completed", run.app.bot)


def press(state: State, run: CheckRun, identifier: str, sender: User) -> None:
    """Press a button of a check run. Raises ValueError when it shows no such button now."""
    if identifier not in run.buttons:
        raise ValueError(f"{run.name} shows no button {identifier!r}: {', '.join(run.buttons) or 'none at all'}")
    tell_check_run(state, run, "requested_action", sender, {"requested_action": {"identifier": identifier}})


def rerequest(state: State, run: CheckRun, sender: User) -> None:
    """Ask for a check run again: its suite waits, the run itself stays. Raises ApiError 422 when it is not over."""
    if run.status != "completed":
        raise ApiError(422, "This check run is not rerequestable")
    run.suite.requeued = True
    tell_check_run(state, run, "rerequested", sender)


def rerequest_suite(state: State, suite: CheckSuite, sender: User) -> None:
    """Ask for all check runs of a suite again. Raises ApiError 422 when they are not over."""
    if suite.status == "in_progress":
        raise ApiError(422, "This check suite is not rerequestable")
    suite.requeued = True
    tell_check_suite(state, suite, "rerequested", sender)


def let_go_stale(state: State, run: CheckRun) -> None:
    """What GitHub does to a check run that is not over after fourteen days."""
    if run.status != "completed":
        run.status, run.conclusion, run.completed_at = "completed", "stale", utc_now()
        _tell_completed(state, run)


def _apply(run: CheckRun, wish: Mapping[str, object]) -> None:
    """Check every field first, then change the run: a refused request changes nothing."""
    status = _status(run, wish)
    output, annotations = _output(wish.get("output"))
    actions = _actions(wish.get("actions"))
    external_id, details_url = _text(wish, "external_id"), _text(wish, "details_url")
    if details_url and not details_url.startswith(("http://", "https://")):
        raise _invalid("details_url must use http or https scheme")
    times = {name: _time(wish, name) for name in ("started_at", "completed_at")}
    conclusion = wish.get("conclusion")
    run.status = status
    if status == "completed":
        run.conclusion = str(conclusion) if conclusion is not None else run.conclusion
        run.completed_at = times["completed_at"] or run.completed_at or utc_now()
    else:
        run.conclusion = run.completed_at = None
    run.started_at = times["started_at"] or run.started_at
    run.external_id = external_id if "external_id" in wish else run.external_id
    run.details_url = details_url if "details_url" in wish else run.details_url
    if output is not None:
        run.output = output
        run.annotations += annotations
    if actions is not None:
        run.actions = actions


def _status(run: CheckRun, wish: Mapping[str, object]) -> str:
    conclusion = wish.get("conclusion")
    if conclusion == "stale":
        raise _invalid("A check run's conclusion cannot be changed to stale: only GitHub can set it.")
    if conclusion is not None and conclusion not in CONCLUSIONS:
        raise _invalid(f"For 'properties/conclusion', {conclusion!r} is not a possible value.")
    status = wish.get("status", "completed" if conclusion is not None else run.status)
    if status not in STATUSES:
        raise _invalid(f"For 'properties/status', {status!r} is not a possible value.")
    if status == "completed" and conclusion is None and run.conclusion is None:
        raise _invalid('"conclusion" wasn\'t supplied.')
    # Providing a conclusion sets the status to completed, whatever was said.
    return "completed" if conclusion is not None else str(status)


def _output(wished: object) -> tuple[dict[str, str | None] | None, list[dict[str, object]]]:
    if wished is None:
        return None, []
    if not isinstance(wished, dict):
        raise _invalid("For 'properties/output', the value is not an object.")
    if not isinstance(wished.get("title"), str) or not isinstance(wished.get("summary"), str):
        raise _invalid('"title" and "summary" of the output weren\'t supplied.')
    for name in ("summary", "text"):
        text = wished.get(name)
        if text is not None and not isinstance(text, str):
            raise _invalid(f"For 'properties/{name}', the value is not a string.")
        if text is not None and len(text) > OUTPUT_LIMIT:
            raise _invalid(f"Only {OUTPUT_LIMIT} characters are allowed; {len(text)} were supplied in {name}.")
    annotations = wished.get("annotations") or []
    if not isinstance(annotations, list) or len(annotations) > ANNOTATIONS_PER_REQUEST:
        raise _invalid(f'No subschema in "oneOf" matched. More than {ANNOTATIONS_PER_REQUEST} annotations.')
    for each in annotations:
        _check_annotation(each)
    return {name: wished.get(name) for name in ("title", "summary", "text")}, list(annotations)


def _check_annotation(each: object) -> None:
    if not isinstance(each, dict):
        raise _invalid("An annotation is not an object.")
    for name, kind in (("path", str), ("start_line", int), ("end_line", int), ("message", str)):
        if not isinstance(each.get(name), kind):
            raise _invalid(f'"{name}" of an annotation wasn\'t supplied.')
    if each.get("annotation_level") not in LEVELS:
        raise _invalid('"annotation_level" of an annotation is not a possible value.')
    start, end = each["start_line"], each["end_line"]
    columns = {"start_column", "end_column"} & each.keys()
    if not 1 <= start <= end:
        raise _invalid('"start_line" of an annotation does not come before its "end_line", or is less than 1.')
    if columns and start != end:
        raise _invalid('"start_column" and "end_column" are for annotations within one line.')
    for name, limit in (("title", 255), ("message", 64 * 1024), ("raw_details", 64 * 1024)):
        if len(str(each.get(name) or "")) > limit:
            raise _invalid(f'"{name}" of an annotation is longer than {limit}.')


def _actions(wished: object) -> list[dict[str, str]] | None:
    if wished is None:
        return None
    if not isinstance(wished, list) or len(wished) > ACTIONS_LIMIT:
        raise _invalid(f"No more than {ACTIONS_LIMIT} actions are allowed.")
    for each in wished:
        for name, limit in ACTION_LIMITS.items():
            text = each.get(name) if isinstance(each, dict) else None
            if not isinstance(text, str) or not text or len(text) > limit:
                raise _invalid(f'"{name}" of an action wasn\'t supplied or is longer than {limit} characters.')
    return [{name: str(each[name]) for name in ACTION_LIMITS} for each in wished]


def _text(wish: Mapping[str, object], name: str) -> str:
    value = wish.get(name)
    if value is not None and not isinstance(value, str):
        raise _invalid(f"For 'properties/{name}', the value is not a string.")
    return value or ""


def _time(wish: Mapping[str, object], name: str) -> datetime | None:
    text = _text(wish, name)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise _invalid(f"For 'properties/{name}', {text!r} is not a valid date-time.") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
