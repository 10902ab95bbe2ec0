"""What an open question is about, told by its words, and choices: the question's own, or the topic's usual ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from speckit_container.markdown import one_line, shorten

MOST_OPTIONS = 4
LONGEST_OPTION = 120
LONGEST_SEARCHED = 500


@dataclass(frozen=True, slots=True)
class Topic:
    """A kind of question. ``why`` says what depends on the answer; the first of ``options`` is the recommended one."""

    name: str
    words: str
    why: str
    options: tuple[str, ...]


TOPICS = (
    Topic(
        "retention",
        r"retention|retain\w*|how long|kept|deleted?|archiv\w*|expir\w*",
        "It decides what has to be deleted and when, which is costly to add later.",
        ("Until the account is deleted", "30 days", "1 year", "As long as the law asks, and no longer"),
    ),
    Topic(
        "authentication",
        r"auth|authenti\w*|authori[sz]\w*|log ?in|sign[ -]?in|passwords?|sso|oauth\w*|credentials?",
        "It decides how people prove who they are, which touches every other part.",
        ("The way people sign in here already", "E-mail and password", "Single sign-on (SSO)", "No sign-in"),
    ),
    Topic(
        "roles",
        r"who|roles?|permissions?|permitted|admins?|administrators?|access|users",
        "It decides what has to be shown to whom, and what must be refused.",
        ("Every signed-in user", "Administrators only", "Everybody, also without signing in"),
    ),
    Topic(
        "security",
        r"secur\w*|privacy|private|encrypt\w*|personal|gdpr|protected|safe\w*|sensitive",
        "What is not asked for here is not tested, and a gap is found by somebody else.",
        (
            "Only its owner and administrators see the data; it is encrypted in transit",
            "As above, and encrypted where it is stored",
            "The same protection as everything else in this product",
        ),
    ),
    Topic(
        "performance",
        r"fast\w*|quick\w*|rapid\w*|slow|latency|performan\w*|responsive|response time|instantly|promptly|how soon",
        "Without a figure nobody can say whether it is met.",
        ("95 of 100 requests within 1 second", "95 of 100 requests within 200 ms", "Within 5 seconds"),
    ),
    Topic(
        "scale",
        r"how many|how much|scal\w*|volumes?|concurren\w*|limits?|maximum|quota",
        "It decides how it is built and what has to be tried under load.",
        ("Twice of what there is today", "1,000 at the same time", "100,000 at the same time"),
    ),
    Topic(
        "outcome",
        r"measure\w*|success|metrics?|number|figures?|outcomes?|kpi",
        "Without a figure nobody can say whether the feature did what it is for.",
        (
            "95 of 100 users get through the main scenario without help",
            "The main scenario takes less than 2 minutes",
            "Half as many requests to support about it within 3 months",
        ),
    ),
    Topic(
        "errors",
        r"errors?|fail\w*|boundary|edge|invalid|wrong|unavailable|robust\w*|reliab\w*|resilient|stable|retr\w+",
        "What happens when something goes wrong is what people remember.",
        (
            "Say what is wrong and how to go on; nothing is lost or half done",
            "Try again by itself for a while, then say what is wrong",
            "Refuse, and tell an administrator",
        ),
    ),
    Topic(
        "notification",
        r"notif\w*|e-?mails?|messages?|reminders?|alerts?",
        "It decides who is told what, and what they can switch off.",
        ("E-mail", "A message inside the product", "Both, and people can switch them off"),
    ),
    Topic(
        "format",
        r"formats?|exports?|imports?|files?|csv|json|pdf|encoding",
        "Others have to be able to read what comes out, and write what goes in.",
        ("CSV", "JSON", "PDF"),
    ),
    Topic(
        "usability",
        r"intuitive\w*|eas(?:y|ily)|friendly|user-friendly|convenient|seamless\w*|modern|nice|accessib\w*",
        "Without a figure it is a matter of taste, and cannot be tested.",
        (
            "9 of 10 people get through at the first try without help",
            "It looks and works as the rest of the product",
            "It meets WCAG 2.2, level AA",
        ),
    ),
    Topic(
        "scope",
        r"scope|platforms?|mobile|regions?|countries|languages?|included?|which",
        "It decides how much is built, and what can wait.",
        ("Only what the request names", "That, and what most users will ask for next", "Everything of this kind"),
    ),
)
OTHER = Topic(
    "other",
    r"",
    "It can be read in more than one way, and the ways lead to different features.",
    (
        "The simplest thing that meets the request",
        "Leave it out of the first version",
        "As it is done elsewhere in this product",
    ),
)

_BEFORE_A_LIST = re.compile(r"(?:\s[-–—]\s|:\s|\()(?=[^:()]*$|[^:()]*\)\s*\??$)")
_SPLIT = re.compile(r"\s*[,;]\s*(?:or\s+)?|\s+or\s+|\s+\|\s+", re.IGNORECASE)
_NOT_OF_A_CHOICE = (
    "is are be should must shall may can could will would do does did for to by with via in on of as at it they we you "
    "use uses using the a an either whether and that this from"
)


def topic_of(question: str) -> Topic:
    """The first topic whose words the question has."""
    return next((topic for topic in TOPICS if re.search(rf"\b(?:{topic.words})\b", question, re.IGNORECASE)), OTHER)


def topic_named(name: str) -> Topic:
    """The topic of that name."""
    return next((topic for topic in TOPICS if topic.name == name), OTHER)


def alternatives(question: str) -> tuple[str, ...]:
    """The two to four choices that a question lists itself, such as ``method - email/password, SSO, OAuth?``."""
    text = shorten(one_line(question), LONGEST_SEARCHED).rstrip("?.! ")
    lead = list(_BEFORE_A_LIST.finditer(text))
    if lead:
        listed = _choices(_SPLIT.split(re.sub(r"^e\.g\.,?\s*", "", text[lead[-1].end() :].rstrip(") "))))
        if len(listed) > 1:
            return listed
    if ";" not in text and re.search(r"\sor\s", text, re.IGNORECASE):
        return _around_or(text)
    return ()


def _around_or(text: str) -> tuple[str, ...]:
    """``Is it monthly or yearly``: each piece from the last word on that begins no choice."""
    pieces = _SPLIT.split(text)
    first = pieces[0].split()
    begin = max((place for place, word in enumerate(first) if word.casefold() in _NOT_OF_A_CHOICE.split()), default=-1)
    own = first[begin + 1 :]
    if len(own) > 4 or not own:
        own = first[-1:]
    found = _choices([" ".join(own), *pieces[1:]])
    return found if len(found) > 1 and all(len(choice.split()) <= 6 for choice in found) else ()


def _choices(pieces: Sequence[str]) -> tuple[str, ...]:
    found: dict[str, str] = {}
    for piece in pieces:
        choice = shorten(piece.strip(" \"'“”‘’`.?!"), LONGEST_OPTION)
        if any(character.isalnum() for character in choice) and choice.casefold() not in {"etc", "none given"}:
            found.setdefault(choice.casefold(), choice)
    return tuple(found.values())[:MOST_OPTIONS]
