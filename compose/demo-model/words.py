"""What a question says, as far as word lists can tell: its parts, the words that may name a metric, a time window,
a quantile, a grouping. Nothing here names a metric or a label."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Words that never name what is measured.
STOP = frozenset(
    """a about above across again all also am an and any are as at average be been before being below between both
    but by can change changed changing chart compare compared could current currently did do does doing down each
    every exceed fast find first for from get getting give go going got graph grew grow growing had has have having
    help here high higher highest history how i if in increase increased increasing into is it its just know large
    larger largest last latest least less let like list long look looks low lower lowest made make many max maximum
    may me mean median min minimum minute more most much my need new no normal not now number of off often on one
    only or other our out over overall own past peak per percent percentage percentile please plot present quick
    quickly quite rate recent recently report right same second see seem seems share should show since slow small
    smaller smallest so some somewhere spike spiked spikes still such summarise summarize take tell than that the
    their them then there these they think this those through time times to today too top total trend trends under
    until us use used using value values versus very vs want was we well were what when where whether which while
    who why will with within worst would yesterday you your hour hours day days week weeks minutes seconds currently
    happened happening answer question data metric metrics query prometheus's explain describe moment
    actually really going amount level gone went goes uses happen happens happened work works working live mean
    means ever since fine ok okay good bad""".split()
) - {"down"}

# Words of place and manner: they help to choose, but a metric need not carry them.
WEAK = frozenset(
    """machine server system host node box computer service application app process cluster environment busy
    usage utilisation utilization target instance job speed size health status state overview done pod container
    full used left space time""".split()
)

# A word of a person → words of metric names. General English of the trade, in both directions where it fits.
SYNONYMS: dict[str, tuple[str, ...]] = {
    "memory": ("mem", "memory", "ram", "rss", "resident"),
    "ram": ("mem", "memory", "ram"),
    "mem": ("mem", "memory"),
    "processor": ("cpu",),
    "core": ("core", "cpu"),
    "disk": ("disk", "filesystem", "storage", "volume"),
    "storage": ("storage", "disk", "filesystem", "volume"),
    "filesystem": ("filesystem", "disk"),
    "space": ("avail", "free", "size", "space"),
    "free": ("free", "avail", "available"),
    "full": ("avail", "free", "available", "used"),
    "used": ("used", "avail", "available", "free"),
    "left": ("avail", "available", "free", "remaining"),
    "available": ("available", "avail", "free"),
    "network": ("network", "net"),
    "traffic": ("network", "net", "traffic", "transmit", "receive"),
    "received": ("receive", "received"),
    "sent": ("transmit", "sent"),
    "latency": ("latency", "duration"),
    "slow": ("latency", "duration"),
    "duration": ("duration", "latency"),
    "response": ("response", "request"),
    "call": ("call", "request"),
    "request": ("request",),
    "error": ("error", "failed", "failure", "fail"),
    "failure": ("failure", "failed", "fail", "error"),
    "failed": ("failed", "failure", "fail", "error"),
    "thread": ("thread",),
    "file": ("file", "fds", "filefd"),
    "descriptor": ("descriptor", "fds", "filefd"),
    "connection": ("connection", "conn"),
    "restart": ("restart", "start"),
    "uptime": ("uptime", "boot", "start"),
    "garbage": ("gc", "garbage"),
    "gc": ("gc",),
    "temperature": ("temperature", "temp", "celsius"),
    "hot": ("temperature", "temp", "celsius"),
    "warm": ("temperature", "temp", "celsius"),
    "cold": ("temperature", "temp", "celsius"),
    "down": ("up", "down"),
    "alive": ("up", "alive"),
    "reachable": ("up", "reachable"),
    "healthy": ("up", "healthy", "health"),
    "online": ("up", "online"),
    "running": ("up", "running"),
    "token": ("token",),
    "conversation": ("session", "conversation", "turn"),
    "machine": ("node", "machine", "host"),
    "server": ("server", "node", "host"),
    "host": ("host", "node"),
    "ingest": ("append", "ingest"),
}

RANGE_WORDS = frozenset(
    """trend trends over history since last past during changed change changing grew grow growing increased
    increasing peak spike spiked spikes yesterday today plot graph chart""".split()
)
UNITS = {"second": 1, "minute": 60, "min": 60, "hour": 3600, "h": 3600, "day": 86400, "d": 86400, "week": 604800}
NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "ten": 10, "twelve": 12, "half": 0.5}


def stem(word: str) -> str:
    """Roughly the part that "appended", "appends" and "append" share; never a short one."""
    if len(word) > 4 and word.endswith("ies"):
        word = word[:-3] + "y"
    elif len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            word = word[: -len(ending)]
    return word[:-1] if len(word) > 4 and word.endswith("e") else word


def name_tokens(name: str) -> list[str]:
    """The words of a metric or label name, or of a label's value: at underscores, dots, dashes, humps, digits."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    spaced = re.sub(r"([A-Za-z])([0-9])", r"\1 \2", spaced)
    return [stem(w.lower()) for w in re.split(r"[^A-Za-z0-9]+", spaced) if w]


def question_words(text: str) -> list[str]:
    return [w.lower() for w in re.findall(r"[A-Za-z][A-Za-z0-9_.]*", re.sub(r"['’]s\b", "", text))]


STOP_STEMS = STOP | {stem(w) for w in STOP}
WEAK_STEMS = frozenset(map(stem, WEAK))
SAME: dict[str, tuple[str, ...]] = {stem(k): tuple(map(stem, v)) for k, v in SYNONYMS.items()}


def same(word: str) -> tuple[str, ...]:
    """A word's stem and what else metric names may say for it."""
    return (word, *SAME.get(word, ()))


@dataclass(frozen=True)
class Clause:
    """One thing that is asked."""

    text: str

    @property
    def words(self) -> list[str]:
        return question_words(self.text)

    @property
    def subjects(self) -> list[str]:
        """The stems of the words that may name what is measured, in their order."""
        return list(self.named)

    @property
    def named(self) -> dict[str, str]:
        """Stem → the word as it was written."""
        # "has gone up", and "p99", name nothing.
        text = re.sub(
            r"\b(?:go|goes|going|gone|went|scaled?|speeds?|sped)\s+(?:up|down)\b", " ", self.text, flags=re.IGNORECASE
        )
        text = re.sub(r"\bp\d\d(?:\.\d+)?\b", " ", text, flags=re.IGNORECASE)
        found: dict[str, str] = {}
        for word in question_words(text):
            for part in name_tokens(word):
                if word not in STOP and part not in STOP_STEMS and len(part) > 1:
                    found.setdefault(part, word)
        return found

    def says(self, *words: str) -> bool:
        return any(w in words for w in self.words)

    @property
    def window_s(self) -> int | None:
        """ "in the last 2 hours" → 7200."""
        number = "|".join(NUMBERS)
        found = re.search(
            rf"\b(?:last|past|previous|over|in|within|during)\s+(?:the\s+)?(?:last\s+|past\s+)?"
            rf"(?:(\d+(?:\.\d+)?|{number})\s*)?(?:an?\s+)?(second|minute|min|hour|h|day|d|week)s?\b",
            self.text,
            re.IGNORECASE,
        )
        if found:
            count = found[1] or "1"
            amount = NUMBERS[count.lower()] if count.lower() in NUMBERS else float(count)
            return max(1, int(amount * UNITS[found[2].lower()]))
        if self.says("today", "yesterday"):
            return 86400
        return None

    @property
    def over_time(self) -> bool:
        return self.window_s is not None or any(w in RANGE_WORDS for w in self.words)

    @property
    def quantile(self) -> float | None:
        found = re.search(
            r"\bp(\d{2}(?:\.\d+)?)\b|\b(\d{1,2}(?:\.\d+)?)(?:th|st|nd|rd)?[ -]percentile", self.text, re.IGNORECASE
        )
        if found:
            return float(found[1] or found[2]) / 100
        return 0.5 if self.says("median") else None

    @property
    def top(self) -> int | None:
        found = re.search(r"\btop[ -](\d{1,2})\b", self.text, re.IGNORECASE)
        if found:
            return max(1, int(found[1]))
        most = ("most", "highest", "largest", "biggest", "busiest", "worst", "slowest", "hottest", "top")
        return 5 if self.says(*most) else None

    @property
    def groups(self) -> list[str]:
        """ "by job", "per device", "which targets", "each mode": the words that may name a label."""
        found = re.findall(r"\b(?:by|per|each|every|which|top \d+)\s+(?:the\s+)?([A-Za-z_]+)", self.text, re.IGNORECASE)
        return [stem(w.lower()) for w in found]

    @property
    def wants_fraction(self) -> bool:
        return self.says("full", "used", "usage", "percent", "percentage", "utilisation", "utilization", "left", "busy")


def clauses(question: str) -> list[Clause]:
    """ "Which targets are up, and how busy is the CPU?" asks two things."""
    ask = r"(?:how|what|which|who|where|when|is|are|does|do|show|list|tell|give|has|have)\b"
    parts = re.split(rf"[?!;\n]+|\.(?:\s|$)|,?\s+and\s+(?={ask})|,\s*(?={ask})", question, flags=re.IGNORECASE)
    return [Clause(p.strip()) for p in parts if p and question_words(p)]
