"""100,000 made-up comments: no false trigger, no miss, no crash."""

from __future__ import annotations

import pytest

from bot.commands.parser import DEFAULT_PREFIX, mentions_command, parse
from tests.bot.generated_comments import comments
from tests.bot.labelled import without_advice

CHUNKS = 40
COMMENTS = 2_500


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_generated_comments_mean_what_their_maker_meant(chunk: int) -> None:
    for body, mention, expected in comments(chunk, COMMENTS):
        found = without_advice(parse(body, DEFAULT_PREFIX, mention))
        assert found == expected, body
        assert mentions_command(body, DEFAULT_PREFIX, mention) == bool(expected), body


def test_they_are_many_and_of_all_kinds() -> None:
    assert CHUNKS * COMMENTS >= 100_000
    some = list(comments(0, COMMENTS))
    bodies = {body for body, _, _ in some}
    assert len(bodies) > 0.9 * COMMENTS
    assert 0.3 < sum(bool(expected) for _, _, expected in some) / COMMENTS < 0.7
