"""What a real agent's shell tries to reach: refused, counted and told; and what the operator allows, which it reaches."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from db.vocabulary import Phase
from tests.jobs.egress_rig import server_context
from tests.jobs.scripted_model import REAL_KEY, scripted_model
from tests.scenario import INVOICE, Scenario
from tests.scenarios.conftest import OpenStage

pytestmark = pytest.mark.engine

WRITES_WHAT_IS_NEXT = r"""
folder=$SPECIFY_FEATURE_DIRECTORY
if [ ! -e "$folder/spec.md" ]; then
    mkdir -p "$folder"
    %s
    printf '# Feature Specification: Pay by invoice\n\n### User Story 1 - Pay later\n\n%%s\n' "$found" > "$folder/spec.md"
else
    printf '# Implementation Plan: Pay by invoice\n\nA table of invoices.\n' > "$folder/plan.md"
fi
"""

GOES_EVERYWHERE = """
    curl -s https://example.com/ || python3 -c 'import urllib.request as u; u.urlopen("https://example.com/")'
    python3 -c 'import urllib.request as u; u.urlopen("http://example.com/a")'
    git ls-remote https://example.com/acme/shop.git
    python3 -c 'import urllib.request as u; u.urlopen("http://169.254.169.254/latest/meta-data/")'
    python3 -c 'import socket; socket.create_connection(("1.1.1.1", 443), 3)'
    found=nothing
"""

ASKS_THE_REGISTRY = """
    found=$(python3 - <<'EOF'
import http.client, ssl
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
def ask(host, name):
    connection = http.client.HTTPSConnection("127.0.0.1", 8378, timeout=10, context=context)
    connection.set_tunnel(host)
    if name != host:
        connection._context = type("Fronted", (), {"wrap_socket": lambda _, s, server_hostname: context.wrap_socket(s, server_hostname=name)})()
    connection.request("GET", "/simple/invoice")
    return connection.getresponse().read().decode()
print(ask("registry.example", "registry.example"))
for host, name in (("registry.example", "evil.example"), ("pypi.org", "pypi.org")):
    try:
        print(ask(host, name))
    except OSError as error:
        print(type(error).__name__)
EOF
    )
"""


async def specified(s: Scenario) -> tuple[str, str]:
    """The run's comment and its page, after codex has written the specification and the plan."""
    await s.comment(f"/speckit specify --agent codex_cli --until plan {INVOICE}")
    run = await s.finish()
    assert run.status == "succeeded", run.result_summary
    status, page = await s.page(f"/runs/{run.run_id}")
    assert status == 200
    return s.reply().body, " ".join(page.split())


async def test_what_codex_tries_to_reach_is_refused_and_listed(open_stage: OpenStage, codex_image: str) -> None:
    async with scripted_model(WRITES_WHAT_IS_NEXT % GOES_EVERYWHERE) as model:
        s = await open_stage(
            SPECKIT_JOB_IMAGE=codex_image,
            SPECKIT_AGENT_BACKENDS="codex_cli",
            OPENAI_API_KEY=REAL_KEY,
            OPENAI_BASE_URL=model.url,
        )
        comment, page = await specified(s)

    told = "**The agent tried to reach** `example.com` (3×) and `169.254.169.254` (1×): refused."
    assert told in comment
    assert "The agent reached" not in comment
    (check,) = s.check_runs()
    assert told in (check.output["summary"] or "")
    assert '<code>example.com</code></th> <td data-name="Times">3</td>' in page
    kept = next(state for state in (await s.runs())[0].task_states if state.phase == Phase.SPECKIT_SPECIFY)
    assert {"host": "example.com", "times": 3} in kept.details["refused_hosts"]


@asynccontextmanager
async def registry(folder: Path) -> AsyncIterator[tuple[int, list[str]]]:
    """An https server on loopback; its port, and the paths it was asked for."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(f"{request.host} {request.path}")
        return web.Response(text="an invoice library, 1.2.3")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    context: ssl.SSLContext = server_context(folder, "registry.example")[0]
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield runner.addresses[0][1], asked
    finally:
        await runner.cleanup()


@pytest.mark.tinyproxy
async def test_codex_reaches_the_host_that_the_operator_allows_and_no_other(
    open_stage: OpenStage, codex_image: str, tmp_path: Path
) -> None:
    async with scripted_model(WRITES_WHAT_IS_NEXT % ASKS_THE_REGISTRY) as model, registry(tmp_path) as (port, asked):
        s = await open_stage(
            SPECKIT_JOB_IMAGE=codex_image,
            SPECKIT_AGENT_BACKENDS="codex_cli",
            SPECKIT_ALLOWED_HOSTS=f"registry.example=127.0.0.1:{port}",
            OPENAI_API_KEY=REAL_KEY,
            OPENAI_BASE_URL=model.url,
        )
        comment, page = await specified(s)
        run = (await s.runs())[0]

    assert asked == ["registry.example /simple/invoice"]
    spec = s.pull_request().text_of(f"{run.feature_directory}/spec.md")
    assert "an invoice library, 1.2.3" in spec
    assert spec.count("invoice library") == 1
    assert "**The agent tried to reach** `evil.example` (1×) and `pypi.org` (1×): refused." in comment
    assert "**The agent reached** `registry.example` (1×), as whoever runs this bot allows." in comment
    assert "<code>registry.example</code>" in page
