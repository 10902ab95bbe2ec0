"""What every test may ask for, and the rule that nothing is skipped in CI."""

from __future__ import annotations

import os

import pytest

pytest_plugins = ["tests.databases", "tests.redis_server", "tests.engine", "tests.hostile_agents"]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the session when a test was skipped in CI: a test that cannot run there must say so by failing."""
    if not os.environ.get("CI"):
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter is not None else []
    if skipped and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        print(f"{len(skipped)} skipped: CI skips nothing")  # noqa: T201 - the reason people look for
