"""What speckit-bot costs over a bare shell script that does the same work: ``make bench``.

In one run, in turns, on one localhub: a comment answered by speckit-bot (web, worker, Redis, SQLite, two containers and
every check), and ``bench/bare_run.sh``, which does the clone, ``specify init``, the template agent's work, the commits,
the push and the API calls one after the other in the same kind of containers. Both are measured from the comment to the
open pull request, by the wall clock, since a user's wait is what counts; medians and their ratio are printed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from cli.demo_hub import HubClient
from cli.demo_result import collect
from cli.demo_stage import REPOSITORY, Stage
from cli.engine import engine_in_use
from cli.redis_server import own_redis
from db.runs import get_run, runs_of_issue

LIMIT = 1.5
"""The most the whole machinery may cost over the bare script."""
TEXT = "Let customers pay by invoice. Net 30, EU only."
BARE = Path(__file__).with_name("bare_run.sh")
IMAGE = "speckit-bot-job:latest"
_RUN_SECONDS = 120


async def measure(stage: Stage, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of each round: speckit-bot's and the bare script's, in turns. The first round of each is not counted."""
    ours: list[float] = []
    bare: list[float] = []
    async with aiohttp.ClientSession() as http:
        grace = HubClient(http, stage.api_url, REPOSITORY, stage.tokens["grace"])
        repository_id = await grace.repository_id()
        for number in range(rounds + 1):
            ours.append(await _speckit_bot(stage, grace, repository_id))
            bare.append(await _bare_script(stage, grace, number))
            print(f"round {number}: speckit-bot {ours[-1]:.2f} s, bare script {bare[-1]:.2f} s", file=sys.stderr)
    return ours[1:], bare[1:]


async def _speckit_bot(stage: Stage, grace: HubClient, repository_id: int) -> float:
    issue, url = await grace.open_issue("Pay by invoice", "")
    commented_at = datetime.now(UTC)
    await grace.comment(issue, f"/speckit specify {TEXT}")
    async with asyncio.timeout(_RUN_SECONDS):
        while True:
            stage.processes.require_all()
            await asyncio.sleep(0.2)
            async with stage.looking() as session:
                found = await runs_of_issue(session, repository_id, issue)
                run = await get_run(session, found[0].run_id) if found else None
            if run is not None and run.report.final_reported_at is not None:
                break
    result = await collect(grace, run, url, commented_at)
    if not result.succeeded:
        raise SystemExit(f"the run ended as {run.status}: {run.result_summary}\n{stage.last_words()}")
    return float(result.summary["seconds_total"])


async def _bare_script(stage: Stage, grace: HubClient, number: int) -> float:
    issue, _ = await grace.open_issue("Pay by invoice", "")
    comment_id = await grace.comment(issue, TEXT)
    environment = {
        **os.environ,
        "API": stage.api_url,
        "CLONE_URL": f"{stage.hub_url}/{REPOSITORY}.git",
        "REPOSITORY": REPOSITORY,
        "TOKEN": stage.tokens["grace"],
        "ISSUE": str(issue),
        "COMMENT_ID": str(comment_id),
        "IMAGE": IMAGE,
        "TEXT": TEXT,
        "BRANCH": f"bare/{number}",
    }
    process = await asyncio.create_subprocess_exec("bash", BARE, env=environment, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"bench/bare_run.sh ended with exit code {process.returncode}")
    seconds, pull = said.decode().split()
    names = {Path(path).name for path in await grace.pull_request_files(int(pull)) if path.startswith("specs/")}
    if names != {"spec.md", "requirements.md", "plan.md", "tasks.md"}:
        raise SystemExit(f"bench/bare_run.sh did not do the same work: its pull request holds {sorted(names)}")
    return float(seconds)


async def _bench(folder: Path, host: str, rounds: int) -> tuple[list[float], list[float]]:
    stage = Stage(folder, host)
    try:
        await stage.start()
        return await measure(stage, rounds)
    finally:
        await stage.stop()


def main() -> None:
    """Print both medians and the ratio; exit code 1 when the ratio is above the limit."""
    parser = argparse.ArgumentParser(prog="python -m bench.overhead", description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="measured rounds, after one to warm up (default: 7)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    with (
        engine_in_use() as host,
        tempfile.TemporaryDirectory(prefix="speckit-bench-") as folder,
        own_redis(Path(folder) / "data"),
    ):
        os.environ["DOCKER_HOST"] = host
        ours, bare = asyncio.run(_bench(Path(folder), host, arguments.rounds))
    ratio = statistics.median(ours) / statistics.median(bare)
    if arguments.json:
        figures = {"speckit_bot": ours, "bare_script": bare, "ratio_of_medians": round(ratio, 3), "limit": LIMIT}
        print(json.dumps(figures))
    else:
        print(f"speckit-bot   median {statistics.median(ours):.2f} s of {len(ours)}, comment to open pull request")
        print(f"bare script   median {statistics.median(bare):.2f} s of {len(bare)}, the same work one after the other")
        print(f"ratio         {ratio:.2f} (at most {LIMIT})")
    sys.exit(0 if ratio <= LIMIT else 1)


if __name__ == "__main__":
    main()
