"""What a specification leaves open: its own marks, then gaps that are found without understanding. No file changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from speckit_container.clarify_topics import Topic, alternatives, topic_named, topic_of
from speckit_container.fill_clarify import recorded
from speckit_container.fill_spec import EDGE_CASES_QUESTION, OUTCOME_QUESTION
from speckit_container.markdown import MARK, shorten
from speckit_container.slugs import LEFT_OUT
from speckit_container.spec_parts import (
    heading_line,
    marks,
    question_key,
    requirements,
    same_question,
    stories,
    text_under,
    vague_words,
)

MOST_QUESTIONS = 5
LONGEST_QUESTION = 300
ROLES = re.compile(
    r"\b(users?|customers?|clients?|admins?|administrators?|visitors?|members?|guests?|operators?|managers?|owners?"
    r"|developers?|reviewers?|readers?|authors?|editors?|employees?|staff|teams?|buyers?|sellers?|students?|teachers?"
    r"|patients?|people|persons?|maintainers?)\b",
    re.IGNORECASE,
)
ERRORS = re.compile(
    r"\b(errors?|fail\w*|invalid|wrong|refus\w+|reject\w*|unavailable|time-?outs?|retr(?:y|ies)|missing|duplicates?"
    r"|denied|expired?|exceed\w*)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Question:
    """A question with choices; ``recommended`` is a letter. ``line`` counts from 1, None where no line is to blame."""

    question: str
    why: str
    options: tuple[str, ...]
    line: int | None

    def as_json(self, path: str) -> dict[str, object]:
        """As the result file has it."""
        lettered = [{"letter": chr(ord("A") + place), "text": text} for place, text in enumerate(self.options)]
        return {
            "question": self.question,
            "why": self.why,
            "options": lettered,
            "recommended": "A",
            "path": path,
            "line": self.line,
        }


def questions(spec: str, focus: str = "") -> list[Question]:
    """At most five, none that was answered. ``focus``: words that say which matter most; their order stays else."""
    answered = [answer.question for answer in recorded(spec)]
    found: dict[str, Question] = {}
    for question in (*_marked(spec), *_gaps(spec)):
        if not any(same_question(question.question, other) for other in answered):
            found.setdefault(question_key(question.question), question)
    wanted = _words(focus)
    ordered = sorted(found.values(), key=lambda one: not wanted & _words(f"{one.question} {one.why}"))
    return ordered[:MOST_QUESTIONS]


def _words(text: str) -> set[str]:
    return {word for word in re.findall(r"\w{3,}", text.casefold()) if word not in LEFT_OUT}


def _marked(spec: str) -> Iterator[Question]:
    known = {EDGE_CASES_QUESTION: "errors", OUTCOME_QUESTION: "outcome"}
    for mark in marks(spec):
        own = () if mark.question in known else alternatives(mark.question)
        topic = topic_named(known[mark.question]) if mark.question in known else topic_of(mark.question)
        why = f"{topic.why} A is recommended because the specification names it first." if own else _why(topic)
        yield Question(shorten(mark.question, LONGEST_QUESTION), why, own or topic.options, mark.line)


def _why(topic: Topic) -> str:
    return f"{topic.why} A is the usual choice."


def _gaps(spec: str) -> Iterator[Question]:
    """What no mark says: vague words, no figure to measure by, nobody named, nothing about failure."""
    asked = requirements(spec)
    for requirement in asked:
        for word, about in vague_words(requirement.text):
            topic = topic_named(about)
            text = f'What does "{word}" mean in {requirement.id}, so that it can be tested?'
            yield Question(text, _why(topic), topic.options, requirement.line)
    outcomes = [requirement for requirement in asked if requirement.kind == "SC"]
    if not any(MARK.search(one.text) or re.search(r"\d", one.text) for one in outcomes):
        text = "By which figure is the success of this feature measured?"
        yield _asked_of(spec, text, topic_named("outcome"), r"Measurable Outcomes|Success Criteria")
    told = "\n".join([*(story.title for story in stories(spec)), text_under(spec, "User Scenarios") or ""])
    if not ROLES.search("\n".join([told, *(one.text for one in asked)])):
        yield _asked_of(spec, "Who uses this feature?", topic_named("roles"), r"User Scenarios|User Stor")
    edges = text_under(spec, "Edge Cases") or ""
    if not MARK.search(edges) and not ERRORS.search("\n".join([edges, *(one.text for one in asked)])):
        yield _asked_of(
            spec, "What happens when something goes wrong?", topic_named("errors"), r"Edge Cases|Requirements"
        )


def _asked_of(spec: str, text: str, topic: Topic, heading: str) -> Question:
    return Question(text, _why(topic), topic.options, heading_line(spec, heading))
