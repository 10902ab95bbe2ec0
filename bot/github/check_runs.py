"""Check runs of ours (https://docs.github.com/en/rest/checks/runs). A payload has GitHub's own fields; it may have more
annotations than GitHub takes at once. What each function promises is said at the verb of RepoClient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.github.app_auth import Purpose
from bot.github.calls import RepoCalls, number
from bot.github.transport import Call

ANNOTATIONS_A_REQUEST = 50


async def create(calls: RepoCalls, payload: Mapping[str, Any]) -> int:
    sha, external_id = str(payload["head_sha"]), str(payload["external_id"])
    fields, notes = _without_annotations(payload)

    async def found() -> dict[str, Any] | None:
        existing = await find(calls, sha, external_id)
        return None if existing is None else {"id": existing}

    doing = f"creating the check run on {calls.slug}@{sha[:7]}"
    call = Call(doing, "POST", "/check-runs", body=_annotated(fields, notes[:ANNOTATIONS_A_REQUEST]), found=found)
    check_run_id = number(await calls.write(call, Purpose.REPORT), "id", doing)
    await _add_annotations(calls, check_run_id, fields, notes, ANNOTATIONS_A_REQUEST)
    return check_run_id


async def update(calls: RepoCalls, check_run_id: int, payload: Mapping[str, Any]) -> None:
    fields, notes = _without_annotations({key: value for key, value in payload.items() if key != "head_sha"})
    there = await _annotations_there(calls, check_run_id) if notes else 0
    batch = notes[there : there + ANNOTATIONS_A_REQUEST]
    await _patch(calls, check_run_id, _annotated(fields, batch), there + len(batch) if batch else None)
    await _add_annotations(calls, check_run_id, fields, notes, there + ANNOTATIONS_A_REQUEST)


async def find(calls: RepoCalls, sha: str, external_id: str) -> int | None:
    doing = f"reading the check runs of {calls.slug}@{sha[:7]}"
    async for item in calls.pages(doing, "/commits/{sha}/check-runs{?per_page}", Purpose.REPORT, sha=sha):
        if item.get("external_id") == external_id and calls.is_our_app(item.get("app")):
            return number(item, "id", doing)
    return None


async def _patch(calls: RepoCalls, check_run_id: int, body: Mapping[str, Any], notes_after: int | None) -> None:
    """``notes_after``: how many annotations there are once this arrived, if it brings any: then it is not repeated
    before it was looked whether they are there."""

    async def found() -> dict[str, Any] | None:
        arrived = notes_after is not None and await _annotations_there(calls, check_run_id) >= notes_after
        return {} if arrived else None

    doing = f"updating check run {check_run_id} of {calls.slug}"
    path, variables = "/check-runs/{check}", {"check": str(check_run_id)}
    call = Call(doing, "PATCH", path, variables, dict(body), found=None if notes_after is None else found)
    await calls.write(call, Purpose.REPORT)


async def _annotations_there(calls: RepoCalls, check_run_id: int) -> int:
    doing = f"reading check run {check_run_id} of {calls.slug}"
    data = await calls.get(doing, "/check-runs/{check}", Purpose.REPORT, check=str(check_run_id))
    return number(data.get("output") if isinstance(data, Mapping) else None, "annotations_count", doing)


async def _add_annotations(
    calls: RepoCalls, check_run_id: int, fields: Mapping[str, Any], notes: list[Any], there: int
) -> None:
    """Append the annotations after the first ``there``, which GitHub has."""
    for start in range(there, len(notes), ANNOTATIONS_A_REQUEST):
        batch = notes[start : start + ANNOTATIONS_A_REQUEST]
        body = {"output": _annotated(fields, batch)["output"]}
        await _patch(calls, check_run_id, body, start + len(batch))


def _without_annotations(payload: Mapping[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    """The payload of a check run without its annotations, and these."""
    output = payload.get("output")
    if not isinstance(output, Mapping):
        return dict(payload), []
    bare = {key: value for key, value in output.items() if key != "annotations"}
    return {**payload, "output": bare}, list(output.get("annotations", []))


def _annotated(fields: Mapping[str, Any], notes: list[Any]) -> dict[str, Any]:
    return {**fields, "output": {**fields["output"], "annotations": notes}} if notes else dict(fields)
