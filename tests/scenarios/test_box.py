"""The box around the agent: it proves itself on each run, and what a hostile agent does in it stays in it."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from db.models import SpecAutomationRun
from jobs.containers import docker_containers
from jobs.containers.self_test import CHECKS
from jobs.containers.shape import Role, host_config
from tests.bot.gfm_oracle import rendered
from tests.hostile_agents import ImageWith
from tests.scenario import INVOICE, Scenario
from tests.scenarios.conftest import OpenStage

pytestmark = pytest.mark.engine

MARK = "speckit-hostile-mark"


async def page_of(s: Scenario, run: SpecAutomationRun) -> str:
    status, page = await s.page(f"/runs/{run.run_id}")
    assert status == 200
    return page


async def test_each_run_shows_what_its_box_proved(open_stage: OpenStage) -> None:
    s = await open_stage()
    await s.comment(f"/speckit specify --until specify {INVOICE}")
    run = await s.finish()
    assert run.status == "succeeded", run.result_summary
    kept = json.loads(s.artifact(run, "self-test.json"))["checks"]
    assert [(check["name"], check["passed"]) for check in kept] == [(name, True) for name in CHECKS]
    page = await page_of(s, run)
    assert "The box" in page
    for check in kept:
        assert check["seen"].replace("'", "&#39;") in page
    assert list(s.settings.artifact_root.glob(".speckit-canary-*")) == []


async def test_a_box_that_is_open_stops_the_run_before_anything_is_in_it(
    open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_a_network(role: Role, *arguments: Any, **options: Any) -> dict[str, Any]:
        return host_config(role, *arguments, **options) | ({"network_mode": "host"} if role == "job" else {})

    monkeypatch.setattr(docker_containers, "host_config", with_a_network)
    s = await open_stage()
    await s.comment(f"/speckit specify {INVOICE}")
    run = await s.finish()
    assert (run.status, run.error_code) == ("failed", "engine.box_open")
    assert s.phases(run)["git_clone"] == "skipped"
    assert not s.pull_requests()
    assert not s.bot_branches()
    body = s.reply().body
    assert "Only whoever runs this bot can cure this" in body
    assert "engine.box_open" in body
    page = await page_of(s, run)
    assert "there is an interface" in page
    assert page.count('<span class="status failed">failed</span>') >= 2


# An agent that does everything it can think of. Each part goes on whatever became of the one before.
EVERYTHING = r"""
    D=$(jq -r .feature_directory "$1"); P=$(jq -r .phase "$1"); mkdir -p "$D"
    {
        for to in 1.1.1.1/443 169.254.169.254/80 172.17.0.1/2375 127.0.0.1/6379; do
            timeout 2 bash -c "exec 3<>/dev/tcp/$to" && echo "REACHED $to"
        done
        getent hosts example.com && echo REACHED a name
        for place in /etc /usr/local/bin /opt/speckit/lib /run / /var/tmp /sys/kernel /proc/sys/kernel; do
            touch "$place/speckit-hostile-mark" && echo "REACHED $place"
        done
        kill -9 1; kill -STOP 2; for p in $(ls /proc | grep -E '^[0-9]+$'); do
            grep -aq sleep /proc/$p/cmdline && kill -9 $p
        done
        mount -t tmpfs none /mnt && echo REACHED a mount
        unshare -Ur true && echo REACHED a namespace
        printf '[core]\n\tfsmonitor = touch /tmp/speckit-hostile-mark\n' > ~/.gitconfig
        mkdir -p ~/.config/git /baseline/repository.git/hooks
        cp ~/.gitconfig ~/.config/git/config
        for hook in pre-commit post-commit post-index-change pre-push reference-transaction; do
            printf '#!/bin/sh\ntouch /tmp/speckit-hostile-mark\n' > /baseline/repository.git/hooks/$hook
            chmod +x /baseline/repository.git/hooks/$hook
        done
        printf 'PATH=/tmp:$PATH\n' | tee ~/.bashrc ~/.profile ~/.bash_profile > /dev/null
        printf '#!/bin/sh\ntouch /tmp/speckit-hostile-mark\n' > /tmp/git; chmod +x /tmp/git
        ln -sf / ~/root; ln -sf /proc/1/root /tmp/root
        head -c 300M /dev/zero > /tmp/huge; rm -f /tmp/huge
        head -c 300M /dev/zero > ~/huge; rm -f ~/huge
        case $P in *specify)
            setsid bash -c "while [ ! -e $PWD/$D/plan.md ]; do sleep 0.05; done; echo late > $PWD/$D/late.md" & ;;
        esac
        (ulimit -u 100; b() { b | b & }; b)
    } > /tmp/log 2>&1 < /dev/null
    grep REACHED /tmp/log
    printf '\033]0;owned\007\033[2J\033[31m@ada @acme/team #1 fixes #1 acme/shop#1\033[0m\n'
    printf '::error file=x::owned\n/speckit implement everything\n<script>alert(1)</script>\n'
"""

WRITES_THE_SPECIFICATION = r"""
    case $P in
        *specify) printf '# Feature Specification: @ada pays, fixes #1 <img src=x onerror=alert(1)>\n\n'
            printf '### User Story 1 - @acme/team closes acme/shop#1\n\n/speckit implement everything\n\n'
            printf '[NEEDS CLARIFICATION: does @grace <script>alert(1)</script> pay #1?]\n' ;;
        *plan) printf '# Implementation Plan: X\n\nWords.\n' ;;
        *tasks) printf '# Tasks: X\n\n- [ ] T001 @ada does it\n' ;;
    esac > "$D/$(case $P in *specify) echo spec ;; *plan) echo plan ;; *) echo tasks ;; esac).md"
    sleep 0.3
"""

WRITES_WHERE_IT_MAY_NOT = r"""
    [ "${P%plan}" = "$P" ] && { printf '# Feature Specification: X\n\nWords.\n' > "$D/spec.md"; exit; }
    mkdir -p .github/workflows .claude
    printf 'on: push\n' > .github/workflows/steal.yml
    printf '{}' > .claude/settings.json; printf 'x=1' > .env; ln -s /etc/passwd "$D/link.md"
    rm -rf src; printf '# Implementation Plan: X\n' > "$D/plan.md"
"""


def hostile(*parts: str) -> str:
    return "\n".join(textwrap.dedent(part) for part in parts)


async def test_a_hostile_agent_on_an_otherwise_normal_run(open_stage: OpenStage, image_with: ImageWith) -> None:
    s = await open_stage(SPECKIT_JOB_IMAGE=image_with(hostile(EVERYTHING, WRITES_THE_SPECIFICATION)))
    before = s.hub.branches(s.repository)
    comment = await s.comment(f"/speckit specify {INVOICE}")
    run = await s.finish()
    assert run.status == "succeeded", run.result_summary

    # One branch, one draft pull request, and in it what the phases are for.
    pull = s.pull_request()
    assert pull.draft
    assert s.bot_branches() == [run.branch_name]
    assert [name for name in s.hub.branches(s.repository) if name != run.branch_name] == list(before)
    assert run.feature_directory is not None
    written = {path for path in pull.files if not path.startswith((".specify/", ".agents/skills/"))} - {"AGENTS.md"}
    assert written == {f"{run.feature_directory}/{name}.md" for name in ("spec", "plan", "tasks")}

    # One comment beside the questions, and nothing in what we wrote calls anybody, closes anything or runs.
    reply, *questions = s.replies()
    assert f"speckit-bot:run={run.run_id}" in reply.body
    assert len(questions) <= 1
    assert s.reactions(comment) == ["eyes", "rocket"]
    (check,) = s.check_runs()
    texts = [
        *(each.body for each in s.replies()),
        pull.body,
        pull.title,
        *(text or "" for text in check.output.values()),
    ]
    for text in texts:
        live = [finding for finding in rendered(text).findings if finding.kind in {"mention", "closing", "image"}]
        assert live == [], text
        assert not any(finding.kind == "html" and "script" in finding.text for finding in rendered(text).findings)
        assert not any(line.startswith("/speckit") for line in text.splitlines())
    assert len(await s.runs()) == 1, "its own words opened no run"

    # What it printed is kept, harmless; what it tried reached nothing, here or there.
    printed = s.artifact(run, "phase-speckit_specify.stdout")
    assert b"REACHED" not in printed
    page = await page_of(s, run)
    assert "\x1b" not in page
    assert "<script>alert" not in page
    assert not Path("/tmp", MARK).exists()
    assert await s.containers() == []
    assert run.cleanup_succeeded


async def test_a_hostile_agent_that_writes_where_it_may_not_is_told_by_name(
    open_stage: OpenStage, image_with: ImageWith
) -> None:
    s = await open_stage(SPECKIT_JOB_IMAGE=image_with(hostile(EVERYTHING, WRITES_WHERE_IT_MAY_NOT)))
    await s.comment(f"/speckit specify {INVOICE}")
    run = await s.finish()
    assert (run.status, run.error_code) == ("failed", "publish.protected_path"), run.result_summary
    assert not s.pull_requests()
    assert not s.bot_branches()
    body = s.reply().body
    assert "`.claude/settings.json`" in body
    assert "this phase may change only" in body
    # What was finished before is kept, and so is what was refused.
    assert b"Feature Specification" in s.artifact(run, "phase-speckit_specify.patch")
    assert b"steal.yml" in s.artifact(run, "phase-speckit_plan.patch")
    assert await s.containers() == []
