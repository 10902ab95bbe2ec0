"""Whatever an agent knows and says, in whatever form and pieces: no secret of ours is kept, shown or published."""

from __future__ import annotations

import contextlib
import html
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.logs import RedactingFormatter
from jobs.redaction import Redactor
from tests.hostile_agents import TEMPLATE, ImageWith
from tests.jobs.canaries import CANARIES, ENCODINGS, middles
from tests.scenario import INVOICE, Scenario
from tests.scenarios.conftest import OpenStage

pytestmark = pytest.mark.engine

FORMS = [encode(canary) for canary in CANARIES for encode in ENCODINGS.values()]
CARRIED = FORMS[2].decode()
TALKATIVE = f"""
python3 - <<'END'
import os, time
for number, form in enumerate(bytes.fromhex("{b"%".join(form.hex().encode() for form in FORMS).decode()}".replace("%", "0a")).split(b"\\n")):
    cut = number % len(form)
    for stream in (1, 2):
        os.write(stream, b"%d: " % number + form[:cut])
        if number % 20 == 0:
            time.sleep(0.005)
        os.write(stream, form[cut:] + b" end\\n")
END
{TEMPLATE.removeprefix("exec ")} || exit 1
if grep -q 'carry it out' ~/request.json; then
    for spec in specs/*/spec.md; do echo 'Hello {CARRIED}' >> $spec; done
fi
echo 'I know {FORMS[0].decode().replace("'", "")} and {CARRIED}.'
"""
"""An agent that has come to know a hundred secrets, and says them in every form, in pieces, everywhere it can."""


async def sinks(s: Scenario, folder: Path, log: io.StringIO) -> dict[str, bytes]:
    """Everything that is kept, shown or said, by where it is."""
    found = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and "hub" not in path.parts}
    found["log"] = log.getvalue().encode()
    pull = s.pull_request()
    said = [*(reply.body for reply in s.replies()), pull.title, pull.body]
    said += [json.dumps(check.output) for check in s.check_runs()]
    found["comments, pull request and checks"] = "\n".join(said).encode()
    found["files of the pull request"] = "\n".join(pull.text_of(path) for path in pull.files).encode()
    _, page = await s.page("/runs")
    found["page of runs"] = page.encode()
    for run in await s.runs():
        _, page = await s.page(f"/runs/{run.run_id}")
        found[f"page of {run.run_id}"] = html.unescape(page).encode() + page.encode()
        for artifact in run.artifacts:
            url = f"http://127.0.0.1:{s.settings.port}/runs/{run.run_id}/artifacts/{artifact.artifact_id}"
            async with s.http.get(url) as response:
                found[f"download of {artifact.name} of {run.run_id}"] = await response.read()
        found[f"rows of {run.run_id}"] = json.dumps([state.details for state in run.task_states]).encode()
    return found


@contextlib.contextmanager
def log_of_the_process(s: Scenario) -> Iterator[io.StringIO]:
    """What `speckit-bot worker` would write: the same formatter, on the same records."""
    log, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(log), root.level
    handler.setFormatter(RedactingFormatter(Redactor(s.settings.secrets()).redact_text, as_json=True))
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield log
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


async def test_a_hundred_secrets_said_in_pieces_and_in_every_form_are_nowhere(
    open_stage: OpenStage, image_with: ImageWith, tmp_path: Path
) -> None:
    # A secret of many lines is many secrets.
    s = await open_stage(SPECKIT_JOB_IMAGE=image_with(TALKATIVE), OPENAI_API_KEY="\n".join(CANARIES))
    with log_of_the_process(s) as log:
        await s.comment(f"/speckit specify --until specify {INVOICE}")
        talked = await s.finish()
        assert talked.status == "succeeded", talked.result_summary
        pushed = s.pull_request().head_sha
        await s.comment("/speckit specify --until specify carry it out")
        carried = await s.finish()
        places = await sinks(s, tmp_path, log)

    needles = set().union(*(middles(canary) for canary in CANARIES))
    assert len(needles) > 900
    hits = {(place, needle) for place, content in places.items() for needle in needles if needle in content}
    assert not hits, sorted(hits)[:5]

    for stream in ("stdout", "stderr"):
        kept = s.artifact(talked, f"phase-speckit_specify.{stream}")
        assert kept.count(b"[secret] end\n") + kept.count(b"end\n") >= len(FORMS), "the agent was not heard"
        assert kept.count(b"[secret]") >= len(FORMS)
    assert "**The agent on writing the specification:** I know \\[secret\\] and" in s.replies()[0].body

    assert (carried.status, carried.error_code) == ("failed", "publish.secret")
    assert f"hold a secret of this installation in `{talked.feature_directory}/spec.md`" in str(carried.result_summary)
    assert b"Hello [secret]" in s.artifact(carried, "phase-speckit_specify.patch")
    assert s.pull_request().head_sha == pushed, "something was pushed"
