"""What the demo model says next: a pure function of the request's messages and tools. Fixed rules, no AI.

    list the metrics → look at the series of those that the question's words name → query them by their type
    → say what came back

Metric and label names come from this conversation's tool results alone, and so does every figure. Where nothing
fits it says so."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import results
from choose import LOOKS_MAX, Seen, Vocabulary, probe_query
from queries import DEFAULT_WINDOW_S, Plan, finish
from results import Answered, Metric
from say import describe, none_found
from words import WEAK_STEMS, Clause, clauses, question_words, same

INTRODUCTION = "Demo model (fixed rules, no AI). "
WHO = (
    "I am the demo model of PersAI: a small program with fixed rules, no AI. I look for metrics whose names share "
    "words with your question, query them through Perses, and repeat what comes back. For real answers set "
    "OPENAI_API_KEY or OPENAI_BASE_URL and start the stack again."
)
TITLE = "Write the title of a conversation"  # how PersAI asks for one
BESIDE = "\n\n[Said by PersAI, not by the person:\n"
ROUNDS_MAX = 8
SEARCHES_MAX = 8
SHOWN_MAX = 40  # of one search: what is far down fits badly, and all of it must fit into a model's window
ENOUGH = 0.45  # how much of what a question names a metric must carry
NEAR = 0.2  # so much, and the labels of its series are worth a look


@dataclass
class Call:
    name: str
    arguments: dict[str, Any]


@dataclass
class Reply:
    text: str = ""
    calls: list[Call] = field(default_factory=list)


def spoken(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without what PersAI says beside a question, and without a doubt of an answer and that answer: by the same rules
    it would be the same again."""
    kept: list[dict[str, Any]] = []
    for message in messages:
        text = results.text_of(message.get("content") or "") if message.get("role") == "user" else ""
        if text.startswith("[Said by PersAI: "):
            if kept and kept[-1].get("role") == "assistant":
                kept.pop()
        elif (cut := text.rfind(BESIDE)) >= 0:
            kept.append({**message, "content": text[:cut]})
        else:
            kept.append(message)
    return kept


class Turn:
    def __init__(self, request: dict[str, Any], now: datetime) -> None:
        self.messages = spoken([m for m in request.get("messages", []) if isinstance(m, dict)])
        self.tools: dict[str, dict[str, Any]] = {}
        for tool in results.list_of(request.get("tools")):
            function = tool.get("function") if isinstance(tool, dict) else None
            if isinstance(function, dict) and isinstance(name := function.get("name"), str):
                parameters = function.get("parameters")
                self.tools[name] = parameters if isinstance(parameters, dict) else {}
        self.now = now
        self.known = results.read(self.messages)
        self.users = [results.text_of(m.get("content") or "") for m in self.messages if m.get("role") == "user"]
        self.question = self.users[-1] if self.users else ""

    # -- tools

    def properties(self, tool: str) -> dict[str, Any]:
        found = self.tools.get(tool, {}).get("properties")
        return found if isinstance(found, dict) else {}

    def required(self, tool: str) -> list[str]:
        found = self.tools.get(tool, {}).get("required")
        return [n for n in found if isinstance(n, str)] if isinstance(found, list) else []

    def moment(self, tool: str, name: str, ago_s: float) -> Any:
        """A moment as the tool's schema wants it."""
        schema = self.properties(tool).get(name)
        schema = schema if isinstance(schema, dict) else {}
        types = schema.get("type")
        at = self.now.timestamp() - ago_s
        if types in ("number", "integer") or (isinstance(types, list) and "string" not in types):
            return int(at)
        return datetime.fromtimestamp(int(at), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    def call_query(self, plan: Plan) -> Call:
        tool = f"execute_{plan.kind}_query"
        arguments: dict[str, Any] = {"query": plan.query}
        properties, required = self.properties(tool), self.required(tool)
        if plan.kind == "range":
            looked_at = plan.clause.window_s or DEFAULT_WINDOW_S
            # Without a time in the question the range that the person has selected is the better one,
            # where the tool knows it.
            wanted = plan.clause.window_s is not None or "start" in required
            if wanted and "start" in properties:
                arguments["start"] = self.moment(tool, "start", looked_at)
            if (wanted or "end" in required) and "end" in properties:
                arguments["end"] = self.moment(tool, "end", 0)
            if "step" in required:
                step = max(15, looked_at // 120)
                number = (properties.get("step") or {}).get("type") in ("number", "integer")
                arguments["step"] = step if number else f"{step}s"
        elif "time" in required:
            arguments["time"] = self.moment(tool, "time", 0)
        return Call(tool, arguments)

    def list_calls(self) -> list[Call]:
        """The metrics that the question's words name, where the tool can search; else all of them, and where that
        list was cut, nothing more can be had."""
        search = next((n for n in results.SEARCH_NAMES if n in self.properties("list_metrics")), None)
        words = [w for c in self.clauses() for w in c.subjects if w not in WEAK_STEMS]
        words = words or [w for c in self.clauses() for w in c.subjects]
        if search and words and not self.wants_names():
            # "up" has the labels of every target: "of the gateway" may be one of them.
            wanted = [*dict.fromkeys([s for w in words for s in same(w)][: SEARCHES_MAX - 1]), "up"]
            few = {"limit": SHOWN_MAX} if "limit" in self.properties("list_metrics") else {}
            new = [w for w in dict.fromkeys(wanted) if w not in self.known.searched]
            return [Call("list_metrics", {search: w, **few}) for w in new]
        if self.known.listed or self.known.errors:
            return []
        arguments: dict[str, Any] = {n: "" for n in self.required("list_metrics")}
        if search and words:
            arguments[search] = " ".join(words)
        return [Call("list_metrics", arguments)]

    # -- what is asked

    def clauses(self) -> list[Clause]:
        found = clauses(self.question)
        if not any(c.subjects for c in found) or self.is_follow_up(found):
            # "and by device?", "what about the last hour?": the question before says of what.
            for earlier in reversed(self.users[:-1]):
                subjects = [s for c in clauses(earlier) for s in c.subjects]
                if subjects:
                    return [Clause(f"{self.question.strip(' ?')} {' '.join(subjects)}")]
        return found

    def is_follow_up(self, found: list[Clause]) -> bool:
        if len(self.users) < 2 or len(question_words(self.question)) > 9:
            return False
        start = question_words(self.question)[:2]
        refers = {"it", "that", "they", "those", "them", "same"} & set(question_words(self.question))
        return bool(refers) or start[:1] == ["and"] or start == ["what", "about"]

    def wants_names(self) -> bool:
        words = set(question_words(self.question))
        return bool({"metric", "metrics"} & words) and bool({"which", "what", "list", "show", "there"} & words)

    def is_small_talk(self) -> bool:
        words = question_words(self.question)
        if not words:
            return True
        greeting = words[0] in ("hi", "hello", "hey", "thanks", "thank") and len(words) <= 3
        return greeting or words[:3] in (["who", "are", "you"], ["what", "are", "you"], ["what", "can", "you"])

    # -- plans

    def plans(self, vocabulary: Vocabulary) -> tuple[list[Plan], list[Clause]]:
        """One plan for each thing asked that a metric is found for, and what none is found for."""
        seen = Seen(self.known)
        plans: list[Plan] = []
        without: list[Clause] = []
        for clause in self.clauses():
            if not clause.subjects:
                continue
            for part in self.parts(clause, vocabulary, seen):
                metric, carried, missing = vocabulary.best(part, seen)
                strong = [w for w in part.subjects if w not in WEAK_STEMS]
                if metric is None or carried < ENOUGH or (strong and all(w in missing for w in strong)):
                    without.append(part)
                elif not any(p.metric.name == metric.name and p.clause == part for p in plans):
                    plans.append(Plan(part, metric, [w for w in missing if w not in WEAK_STEMS]))
        return plans, without

    @staticmethod
    def parts(clause: Clause, vocabulary: Vocabulary, seen: Seen) -> list[Clause]:
        """ "CPU and memory usage of Perses" where no one metric has both: two things, of the same."""
        halves = [Clause(h) for h in clause.text.split(" and ")]
        if len(halves) < 2 or not all(h.subjects for h in halves):
            return [clause]
        if vocabulary.best(clause, seen)[1] >= 0.8:
            return [clause]
        rest = re.search(r"\s(?:of|for|on|in|by|per|from|during|over|within)\s.*$", halves[-1].text)
        halves[:-1] = [Clause(h.text + (rest[0] if rest else "")) for h in halves[:-1]]
        return halves if all(vocabulary.best(h, seen)[1] >= ENOUGH for h in halves) else [clause]

    def targets_metric(self, vocabulary: Vocabulary) -> Metric | None:
        """The metric "up" of Prometheus has every target's labels; only if the list has it."""
        return vocabulary.metrics.get("up")

    # -- the next step

    def next(self) -> Reply:
        if self.is_small_talk():
            return Reply(WHO)
        rounds = sum(1 for m in self.messages if m.get("role") == "assistant" and m.get("tool_calls"))
        earlier = self.rounds_before_question()
        if "list_metrics" not in self.tools:
            return Reply(INTRODUCTION + "I have no tool that lists metrics here, so I cannot answer.")
        if rounds - earlier < ROUNDS_MAX and (calls := self.list_calls()):
            return Reply(INTRODUCTION + "I look which metrics there are.\n", calls)
        if not self.known.metrics:
            why = f": {self.known.errors[-1]}" if self.known.errors else "."
            return Reply(f"{INTRODUCTION}I found no metric: the tools returned none{why}")
        vocabulary = Vocabulary(self.known.metrics)
        if self.wants_names():
            return Reply(self.name_metrics(vocabulary))
        plans, without = self.plans(vocabulary)
        if rounds - earlier < ROUNDS_MAX and (reply := self.query(plans, without, vocabulary)):
            return reply
        return Reply(self.answer(plans, without, vocabulary))

    def rounds_before_question(self) -> int:
        last = max((i for i, m in enumerate(self.messages) if m.get("role") == "user"), default=0)
        return sum(1 for m in self.messages[:last] if m.get("role") == "assistant" and m.get("tool_calls"))

    def query(self, plans: list[Plan], without: list[Clause], vocabulary: Vocabulary) -> Reply | None:
        """First a look at the series of each metric, for their labels; then the query itself."""
        probes = [Plan(p.clause, p.metric, query=probe_query(p.metric, self.known.metrics)) for p in plans]
        targets = self.targets_metric(vocabulary)
        unclear = bool(without) or any(p.missing for p in plans)
        if targets and unclear:
            probes.append(Plan(Clause(""), targets, query=targets.name))
        # What a nearest metric does not say its labels may: "the queue of orders" is queue="orders".
        for clause in without:
            metric, carried, _ = vocabulary.best(clause, Seen(self.known))
            if metric and carried >= NEAR and len(self.known.answers) <= LOOKS_MAX:
                probes.append(Plan(clause, metric, query=probe_query(metric, self.known.metrics)))
        new = self.not_asked_yet(probes)
        if new:
            names = ", ".join(f"`{p.metric.name}`" for p in new)
            return Reply(f"I look at the series of {names}.\n", [self.call_query(p) for p in new])
        for plan in plans:
            finish(plan, self.probe_of(plan), self.known, vocabulary)
        new = self.not_asked_yet(plans)
        if new:
            what = ", ".join(f"`{p.query}`" for p in new)
            return Reply(f"I query {what}.\n", [self.call_query(p) for p in new])
        return None

    def not_asked_yet(self, plans: list[Plan]) -> list[Plan]:
        new: dict[tuple[str, str], Plan] = {}
        for plan in plans:
            key = plan.kind, plan.query
            if key not in self.known.answers:
                new.setdefault(key, plan)
        return list(new.values())

    def probe_of(self, plan: Plan) -> Answered:
        return self.known.answers.get(("instant", probe_query(plan.metric, self.known.metrics)), Answered())

    # -- answers

    def answer(self, plans: list[Plan], without: list[Clause], vocabulary: Vocabulary) -> str:
        for plan in plans:
            if not plan.query:
                finish(plan, self.probe_of(plan), self.known, vocabulary)
        parts = [
            describe(p, self.known.answers.get((p.kind, p.query), Answered(error="it was not run"))) for p in plans
        ]
        for clause in without:
            parts.append(none_found(clause, vocabulary, Seen(self.known)))
        if not parts:
            parts.append(
                "I found no word in the question that could name a metric. Ask for example for a metric by its name."
            )
        return INTRODUCTION + "\n\n".join(parts)

    def name_metrics(self, vocabulary: Vocabulary) -> str:
        subjects = [s for c in self.clauses() for s in c.subjects if s not in WEAK_STEMS]
        names = [n for n in vocabulary.metrics if all(vocabulary.carries(n, w) >= 0.9 for w in subjects)]
        about = f" about {' and '.join(subjects)}" if subjects else ""
        if not names:
            return f"{INTRODUCTION}I found no metric{about}."
        shown = "\n".join(
            f"- `{n}`{': ' + vocabulary.metrics[n].help if vocabulary.metrics[n].help else ''}" for n in names[:25]
        )
        more = "\n- … and more" if len(names) > 25 else ""
        return f"{INTRODUCTION}These metrics{about} are in the list that the tool returned:\n{shown}{more}"


def respond(request: dict[str, Any], now: datetime) -> Reply:
    """The next message of the conversation in the request (OpenAI Chat Completions)."""
    turn = Turn(request, now)
    first = request["messages"][0]
    system = results.text_of(first.get("content") or "") if isinstance(first, dict) else ""
    return Reply(title_of(turn.question)) if system.startswith(TITLE) else turn.next()


def title_of(told: str) -> str:
    """PersAI wants a title: the question's first words."""
    try:
        question = str(json.loads(told.splitlines()[0])["person"])
    except (IndexError, KeyError, TypeError, ValueError):
        return ""
    return " ".join(question.split()[:6]).rstrip(" ?.,;:")


def arguments_json(call: Call) -> str:
    return json.dumps(call.arguments, ensure_ascii=False)
