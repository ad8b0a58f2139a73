"""What is measured. Each scenario runs the same streams against the model directly, through nginx as a plain proxy,
and through PersAI, one after the other, several times over; the report takes medians."""

import http.client
import http.server
import json
import re
import statistics
import subprocess
import sys
import threading
import time

TARGETS = ("direct", "nginx", "persai")


class Bench:
    def __init__(self, stack, out, full):
        self.stack, self.out, self.full = stack, out, full
        self.reps = 5 if full else 3
        self.targets = [t for t in TARGETS if t != "persai" or stack.has_persai()]
        self.failed = 0
        self.too_many = 0  # sizes that were tried and not carried: the table has them
        self.seed = 1
        self.passes = {}  # of the scenario that runs, by process: the latest that Stack.passes said

    def load(self, scenario, target, rep, must_pass=True, watched=(), **options):
        """One run of bench-load; its line of JSON is kept and returned."""
        stack = self.stack
        port = options.pop("port", None) or stack.ports[{"direct": "model", "nginx": "nginx", "persai": "gateway"}[target]]
        watched = watched or {"direct": ["model"], "nginx": ["nginx"], "persai": ["gateway", "worker", "redis"]}[target]
        options = {"mode": "turn" if target == "persai" else "direct", "seed": self.seed, **options}
        self.seed += 100_000
        argv = [str(stack.build / "tests/bench/bench-load"), "--port", str(port), *stack.watch(*watched)]
        argv += [f"--{name}={value}" for name, value in options.items()]
        done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False)
        if not done.stdout:
            raise SystemExit(f"bench: {' '.join(argv)} ended with {done.returncode}")
        line = {"scenario": scenario, "target": target, "rep": rep, **json.loads(done.stdout)}
        if target == "persai":
            line["passes"] = stack.passes(watched)
            self.passes.update({(name, stack.pid(name)): found for name, found in line["passes"].items()})
        self.out(line)
        whole = not line["failed"] and not line["ids_missing"] and not line["ids_repeated"]
        if not whole and must_pass:
            self.failed += 1
            print(f"bench: {scenario}, {target}: {line['failed']} of {line['streams'] * line['rounds']} streams not "
                  f"whole, {line['ids_missing']} ids missing, {line['ids_repeated']} repeated: {line['error']}",
                  file=sys.stderr)
        return line

    def rows(self, scenario):
        """What a scenario measured, and how long the loops of gateways and workers went without asking who else is
        there meanwhile: in all, which is also what a process waits for the processor, and by their own work."""
        self.passes = {}
        rows = scenario(self)
        for kind in ("gateway", "worker"):
            for what, said in (("passes", ""), ("work", ", of their own work")):
                counts = [found[what] for (name, _), found in self.passes.items() if name.startswith(kind)]
                if counts:
                    whole, long, longest = zip(*counts)
                    rows.append((scenario.__name__, f"passes of the {kind}'s loop over 10 ms{said}, of {sum(whole)}", sum(long),
                                 "", "0"))
                    rows.append((scenario.__name__, f"its longest pass{said}, at most", max(longest), "ms", ""))
        return rows

    def each(self, scenario, targets=None, **options):
        targets = [t for t in targets or self.targets if t in self.targets]
        runs = {target: [] for target in targets}
        for rep in range(self.reps):
            for target in targets:
                if target == "persai":
                    self.stack.persai()
                runs[target].append(self.load(scenario, target, rep, **options))
        return runs


def middle(runs, *path):
    """The median over runs of a number in their results."""
    values = []
    for run in runs:
        for key in path:
            run = run.get(key, {}) if isinstance(run, dict) else {}
        if isinstance(run, (int, float)):
            values.append(run)
    return statistics.median(values) if values else None


def cost(runs, *names):
    parts = [middle(runs, "window", name, "cpu_us_per_token") for name in names]
    return None if None in parts else sum(parts)


def cpu_rows(runs, what, goal):
    nginx = cost(runs["nginx"], "nginx")
    rows = [(what, "model (of the direct stream)", cost(runs["direct"], "model"), "µs CPU/token", ""),
            (what, "nginx", nginx, "µs CPU/token", "")]
    if "persai" in runs:
        both = cost(runs["persai"], "gateway", "worker")
        for name in ("gateway", "worker", "redis"):
            rows.append((what, name, cost(runs["persai"], name), "µs CPU/token", ""))
        rows.append((what, "(gateway + worker) / nginx", both and nginx and both / nginx, "×", f"≤ {goal}"))
        rows.append((what, "tokens per event", middle(runs["persai"], "window", "tokens_per_event"), "", ""))
    return rows


def delay_rows(runs, what, goals):
    """What each adds to the first token and to each token; goals: of PersAI, in µs, by (field, percentile)."""
    rows = []
    for field, label in (("first_us", "first token"), ("delay_us", "delay of a token")):
        for at in ("p50", "p99"):
            direct = middle(runs["direct"], field, at)
            rows.append((what, f"{label}, {at}, direct", direct, "µs", ""))
            for target in runs:
                if target != "direct":
                    added, goal = middle(runs[target], field, at) - direct, goals.get((field, at))
                    rows.append((what, f"{label}, {at}, added by {target}", added, "µs",
                                 f"≤ {goal}" if goal and target == "persai" else ""))
    return rows


def paced(bench):
    """CPU of slow streams: mostly the price of waking up."""
    tokens = 500 if bench.full else 250
    runs = bench.each("paced", streams=200, rate=50, tokens=tokens, ramp=1000)
    return cpu_rows(runs, "200 streams × 50 tokens/s", 1.8)


def few(bench):
    """Few streams on processes that mostly sleep: what PersAI adds, and what a token costs that is served alone."""
    runs = bench.each("few", streams=50, rate=50, tokens=150, ramp=3000, rounds=4)
    what = "50 streams × 50 tokens/s"
    return [*cpu_rows(runs, what, 2), *delay_rows(runs, what, {("first_us", "p50"): 800, ("first_us", "p99"): 2000})]


def speed(bench):
    """CPU when tokens come as fast as the sockets take them, one a write."""
    runs = bench.each("full-speed", streams=200, rate=0, window="all", tokens=3000 if bench.full else 1000, timeout=120)
    return cpu_rows(runs, "200 streams, full speed", 1.5)


def latency(bench):
    """Streams come and go all the time, 500 at once: what PersAI adds to the first token and to each."""
    tokens = 250
    runs = bench.each("latency", streams=500, rate=50, tokens=tokens, ramp=tokens * 20, rounds=3 if bench.full else 2)
    return delay_rows(runs, "500 streams × 50 tokens/s", {("first_us", "p99"): 2000, ("delay_us", "p99"): 1000})


def carry(bench):
    """Many long streams at once on fresh processes: nothing lost, and the memory of a stream."""
    rows, tokens, rate = [], 500, 50
    for target in bench.targets:
        for streams in (1000, 750, 500, 300):
            if target == "persai":
                bench.stack.persai()
            line = bench.load("carry", target, 0, must_pass=False, streams=streams, rate=rate, tokens=tokens,
                              ramp=2000, timeout=90)
            pace = tokens / rate + 2
            held = not line["failed"] and not line["ids_missing"] and line["secs"] < pace * 1.1
            what = f"{streams} streams × {tokens} tokens × {rate}/s"
            rows.append((what, f"{target}: streams whole, byte for byte", line["ok"], f"of {streams}",
                         "all" if target == "persai" else ""))
            rows.append((what, f"{target}: time taken", line["secs"], f"s of {pace:.0f}", ""))
            if target == "persai" and (line["failed"] or line["ids_missing"] or line["ids_repeated"]):
                bench.failed += 1
                print(f"bench: carry: {line['failed']} streams not whole: {line['error']}", file=sys.stderr)
            if held:
                break
        if target == "persai":
            for name, goal in (("gateway", "≤ 20"), ("worker", "≤ 24")):
                rows.append((what, f"memory of a stream, {name}", line["window"][name]["kib_per_stream"], "KiB", goal))
    return rows


def back(bench):
    """Clients that leave every 50 events and come back with Last-Event-ID."""
    if "persai" not in bench.targets:
        return []
    bench.stack.persai()
    line = bench.load("reconnect", "persai", 0, streams=200, rate=50, tokens=250, ramp=1000, drop=50)
    what = "200 streams, reconnecting"
    return [(what, "reconnects", line["drops"], "", ""),
            (what, "ids missing or repeated", line["ids_missing"] + line["ids_repeated"], "", "0"),
            (what, "connect to first replayed event, p99", line["back_us"]["p99"], "µs", "≤ 50000")]


def elsewhere(bench):
    """Begun at one gateway, followed there or at another: as the plugin does behind a load balancer."""
    if "persai" not in bench.targets:
        return []
    stack, streams, rate, tokens = bench.stack, 200, 50, 250
    what, runs, scripts = f"{streams} streams × {rate} tokens/s, 2 gateways", {"here": [], "elsewhere": []}, {}
    names = ("gateway", "gateway2", "worker", "redis")
    for rep in range(bench.reps):
        for place, port in (("here", "gateway"), ("elsewhere", "gateway2")):
            stack.persai(gateways=2)
            load = {"mode": "async", "rate": rate, "ramp": 1000, "watched": names, "events-port": stack.ports[port]}
            line = bench.load("elsewhere", "persai", rep, streams=streams, tokens=tokens, **load)
            runs[place].append({**line, "target": place})
            if rep == 0:  # a count: once is enough, of turns so long that their beginnings and ends weigh little
                calls, long = stack.scripts()[0], 4 * tokens
                bench.load("elsewhere, long", "persai", rep, streams=streams, tokens=long, **load)
                scripts[place] = (stack.scripts()[0] - calls) / (streams * long / rate)
    rows = []
    for field, label, goal in (("first_us", "first token", "≤ 1000"), ("delay_us", "delay of a token", "")):
        for at in ("p50", "p99"):
            here, there = (middle(runs[place], field, at) for place in runs)
            rows.append((what, f"{label}, {at}, at the driving gateway", here, "µs", ""))
            rows.append((what, f"{label}, {at}, added elsewhere", there - here, "µs",
                         goal or ("≤ 200" if at == "p50" else "≤ 1000")))
    costs = {place: cost(runs[place], *names) for place in runs}
    rows.append((what, "all gateways, worker, Redis, at the driving gateway", costs["here"], "µs CPU/token", ""))
    rows.append((what, "the same, elsewhere / driving", costs["elsewhere"] / costs["here"], "×", "≤ 1.15"))
    for place in runs:
        rows.append((what, f"Redis, {place}", cost(runs[place], "redis"), "µs CPU/token", "≤ 3"))
        rows.append((what, f"scripts a second and running turn of 20 s, {place}", scripts[place], "", "≤ 1.5"))
    return rows


def behind(bench):
    """Two gateways and two workers behind haproxy as in compose, clients as the plugin: what a token costs beside one of
    each, and what is lost while a gateway and a worker are killed each ten seconds."""
    if "persai" not in bench.targets:
        return []
    stack, runs = bench.stack, {1: [], 2: []}
    names = {1: ("gateway", "worker", "redis"), 2: ("gateway", "gateway2", "worker", "worker2", "redis")}
    load = {"mode": "async", "streams": 200, "rate": 50}

    def fresh(count):
        stack.persai(gateways=count, workers=count)
        stack.haproxy(names[count][:count])
        return {"port": stack.ports["haproxy"], "events-port": stack.ports["haproxy"]}

    for rep in range(bench.reps):
        for count in runs:
            ports = fresh(count)
            runs[count].append({**bench.load("behind", "persai", rep, tokens=250, ramp=1000, watched=names[count],
                                             **load, **ports), "target": f"{count} x {count}"})
    what = "200 streams × 50 tokens/s behind haproxy"
    rows, costs = [], {count: cost(runs[count], *names[count]) for count in runs}
    for count in runs:
        rows.append((what, f"{count} × {count}, gateways, workers, Redis", costs[count], "µs CPU/token", ""))
    rows.append((what, "2 × 2 / 1 × 1", costs[2] / costs[1], "×", "≤ 1.1"))
    for field, label in (("first_us", "first token"), ("delay_us", "delay of a token")):
        rows += [(what, f"{label}, {at}, {count} × {count}", middle(runs[count], field, at), "µs", "")
                 for at in ("p50", "p99") for count in runs]
    return [*rows, *killing(bench, fresh(2), load)]


def killing(bench, ports, load):
    """Turns one after the other while a gateway and a worker are killed each ten seconds, in turn."""
    stack, over, kills = bench.stack, threading.Event(), []

    def kill():
        while not over.wait(5 if len(kills) % 2 else 4):
            name = ("gateway", "worker", "gateway2", "worker2")[len(kills) % 4]
            kills.append(name)
            stack.killed(name)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        line = bench.load("behind, killed", "persai", 0, tokens=250, rounds=6, ramp=4000, timeout=120, watched=("redis",), **load,
                          **ports, **{"comes-back": 1, "away": 200})
    finally:
        over.set()
        killer.join()
    what = "200 × 6 turns of 5 s, a gateway and a worker killed each 10 s"
    return [(what, "kills", len(kills), "", ""), (what, "connections lost", line["lost"], "", ""),
            (what, "steps begun anew", line["retried"], "", ""),
            (what, "streams whole, byte for byte", line["ok"], f"of {line['streams'] * line['rounds']}", "all"),
            (what, "ids missing or repeated", line["ids_missing"] + line["ids_repeated"], "", "0")]


def kept(bench):
    """A question and an answer of some 900 bytes (200 tokens of a model's): what it costs Redis, and what Redis keeps of
    it while its events may be read again (an hour), and after that."""
    if "persai" not in bench.targets:
        return []
    stack, turns, tokens = bench.stack, 1000, 45
    stack.persai(env=LIMITS)
    bench.load("kept", "persai", 0, streams=20, rate=0, tokens=tokens, window="all")  # scripts are known from here on
    load = {"streams": turns, "rate": 0, "tokens": tokens, "window": "all", "ramp": 5 * turns}
    calls = stack.scripts()[0]
    spent = stack.spends(["redis"], lambda: bench.load("kept", "persai", 1, **load))
    after = stack.scripts()[0]
    keys = [key for key in stack.redis_says(["keys p:*"]) if "{" in key and not key.startswith(("p:p:", "p:u:", "p:q:"))]
    sizes = [int(n) for n in stack.redis_says([f"memory usage {key} samples 0" for key in keys])]
    left_ms = [int(n) for n in stack.redis_says([f"pttl {key}" for key in keys])]
    stays = sum(size for size, ms in zip(sizes, left_ms) if ms > 3_700_000)
    of = f"{turns} turns, a session each"
    rows = [("a session and its short turn", of, (after - calls) / turns, "scripts", ""),
            ("CPU of Redis for both", of, spent["redis"] * 1000 / turns, "ms", ""),
            ("kept within the hour", of, sum(sizes) / 1024 / (turns + 20), "KiB", "≤ 12"),
            ("kept after it", of, stays / 1024 / (turns + 20), "KiB", "≤ 4")]
    bench.out({"scenario": "kept", "target": "redis", **{what: value for what, _, value, _, _ in rows}})
    return [*rows, *scripts_rows(bench, 300, tokens)]


def turn(bench):
    """What a short turn costs that comes alone, 200 of them a second: an answer of one token in a session of its own.
    Sessions by themselves come first, and are taken off; beside it a request to nginx for the same answer."""
    if "persai" not in bench.targets:
        return []
    stack, count = bench.stack, 1000
    load = {"streams": count, "rate": 0, "tokens": 1, "window": "all", "ramp": 5 * count}
    names, spent = ("gateway", "worker", "redis"), {"session": [], "both": [], "nginx": []}
    for rep in range(bench.reps):
        stack.persai(env=LIMITS)
        bench.load("turn, first", "persai", rep, **{**load, "streams": 50, "ramp": 250})
        spent["session"].append(stack.spends(names, lambda: sessions(stack.ports["gateway"], count)))
        spent["both"].append(stack.spends(names, lambda: bench.load("turn", "persai", rep, **load)))
        spent["nginx"].append(stack.spends(("nginx",), lambda: bench.load("turn", "nginx", rep, **load)))
    ms = {what: {name: statistics.median(run[name] for run in runs) * 1000 / count for name in runs[0]}
          for what, runs in spent.items()}
    of = f"an answer of one token, {count} of them, 200 a second"
    alone = {name: ms["both"][name] - ms["session"][name] for name in names}
    rows = [(of, f"CPU of the {name}, a turn" if name != "redis" else "CPU of Redis, a turn", alone[name], "ms",
             "≤ 0.15" if name == "redis" else "") for name in names]
    rows.append((of, "gateway + worker", alone["gateway"] + alone["worker"], "ms", "≤ 0.2"))
    rows.append((of, "nginx, a request", ms["nginx"]["nginx"], "ms", ""))
    rows.append((of, "gateway + worker / nginx", (alone["gateway"] + alone["worker"]) / ms["nginx"]["nginx"], "×", ""))
    rows += [("its session", f"CPU of {name}", ms["session"][name], "ms", "") for name in names]
    bench.out({"scenario": "turn, all", "target": "persai", **{what: value for _, what, value, _, _ in rows}})
    return rows


def sessions(port, count):
    """One after the other, each on a connection of its own as bench-load's are."""
    began = time.monotonic()
    for n in range(count):
        time.sleep(max(0, began + n / 200 - time.monotonic()))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("POST", "/session", "{}", {"Content-Type": "application/json"})
        if connection.getresponse().status not in (200, 201):
            raise SystemExit("bench: no session")
        connection.close()


# As by default where people sign in: each is asked for at every turn, and none is met.
LIMITS = {"PERSAI_USER_TURNS": "10000", "PERSAI_USER_TURNS_PER_MINUTE": "100000", "PERSAI_USER_SESSIONS": "100000",
          "PERSAI_USER_BYTES": "10GiB"}
# Of a session's beginning, not of its turns.
SESSIONS_OWN = ("session_create", "quota_storage_take", "quota_storage_note")


def scripts_rows(bench, turns, tokens):
    """Which scripts a turn without tools needs."""
    stack = bench.stack
    stack.note_scripts(True)
    bench.load("scripts", "persai", 0, streams=turns, rate=0, tokens=tokens, window="all", ramp=5 * turns)
    found = stack.scripts_by_name()
    stack.note_scripts(False)
    rows = []
    for name, (calls, us) in sorted(found.items(), key=lambda one: -one[1][0]):
        what = "a session's beginning" if name in SESSIONS_OWN else "a turn without tools"
        rows.append((what, f"{name}, {us / calls:.0f} µs each", calls / turns, "scripts", ""))
    own = sum(calls for name, (calls, _) in found.items() if name not in SESSIONS_OWN)
    return [*rows, ("a turn without tools", "all", own / turns, "scripts", "≤ 5")]


def quiet(bench):
    """Thousands of quiet streams, of which 800 a second begin."""
    rows = []
    what, prices = "{} streams × 5 tokens/s", {}
    for target in [t for t in bench.targets if t != "direct"]:
        for streams in (9900, 6000, 3000):
            size_rows, price, whole, line = many_run(bench, target, streams, 5, 100, streams * 5 // 4)
            rows += size_rows
            if not whole:
                continue
            prices[target, streams] = price
            rows.append((what.format(streams), f"{target}: first token, p50", line["first_us"]["p50"], "µs",
                         "≤ 20000" if target == "persai" else ""))
            if target == "persai" and ("nginx", streams) in prices:
                rows.append((what.format(streams), "(gateway + worker) / nginx", price / prices["nginx", streams], "×", "≤ 2"))
            break
    return rows


def many_run(bench, target, streams, rate, tokens, ramp):
    """One size: its rows, its cost a token, whether all of it was whole, and the run itself."""
    names = ("gateway", "worker") if target == "persai" else ("nginx",)
    if target == "persai":
        bench.stack.persai()
    line = bench.load("many", target, 0, must_pass=False, streams=streams, rate=rate, tokens=tokens, ramp=ramp,
                      timeout=120)
    what = f"{streams} streams × {rate} tokens/s"
    whole = not line["failed"] and not line["ids_missing"] and not line["ids_repeated"]
    rows = [(what, f"{target}: streams whole", line["ok"], f"of {streams}", "all")]
    if not whole:
        bench.too_many += 1
        print(f"bench: many, {streams}: {line['error']}", file=sys.stderr)
        return rows, None, False, line
    price = cost([line], *names)
    rows.append((what, " + ".join(names), price, "µs CPU/token", ""))
    if target == "persai":
        for name, goal in (("gateway", "≤ 20"), ("worker", "≤ 24")):
            rows.append((what, f"memory of a stream, {name}", line["window"][name]["kib_per_stream"], "KiB", goal))
    return rows, price, True, line


def many(bench):
    """Thousands of quiet streams in one gateway and one worker: the most that are carried whole, and whether a token
    costs more among them."""
    rows = []
    for target in [t for t in bench.targets if t != "direct"]:
        few_rows, few, *_ = many_run(bench, target, 200, 45, 250, 1000)
        rows += few_rows
        for streams in (9000, 6000, 4000, 2000):
            size_rows, price, whole, _ = many_run(bench, target, streams, 1, 25, streams * 2)
            rows += size_rows
            if not whole:
                continue
            if few:
                rows.append((f"{streams} against 200 streams", target, price / few, "×",
                             "≤ 1.5" if target == "persai" else ""))
            break
        else:
            bench.failed += 1
    return rows


def doors(bench):
    """What the doors cost beside the plain stream, and many OpenAI streams at once. /mcp says an answer whole: its time is
    that of an answer of one token."""
    if "persai" not in bench.targets:
        return []
    rows = []
    streaming, all_doors = ("openai", "agui"), ("openai", "agui", "mcp")
    loads = {"full speed": (all_doors, {"streams": 200, "rate": 0, "tokens": 1000, "window": "all", "timeout": 120}),
             "50 tokens/s": (streaming, {"streams": 100, "rate": 50, "tokens": 150, "ramp": 1000}),
             "one token": (all_doors, {"streams": 100, "rate": 0, "tokens": 1, "window": "all", "ramp": 1000})}
    for pace, (modes, options) in loads.items():
        runs = {mode: [] for mode in ("turn", *modes)}
        for rep in range(bench.reps):
            for mode in runs:
                bench.stack.persai()
                runs[mode].append(bench.load(f"doors, {mode}", "persai", rep, mode=mode, **options))
        what = f"{options['streams']} streams, {pace}"
        if options["tokens"] > 1:
            plain = cost(runs["turn"], "gateway")
            rows.append((what, "plain stream, gateway", plain, "µs CPU/token", ""))
            rows += [(what, f"{mode}, added to the gateway", cost(runs[mode], "gateway") - plain, "µs CPU/token", "≤ 1")
                     for mode in modes]
        if options["rate"] or options["tokens"] == 1:
            field, label = ("first_us", "first token") if options["rate"] else ("whole_us", "answer")
            plain = middle(runs["turn"], field, "p50")
            rows += [(what, f"{mode}, added to the {label}, p50", middle(runs[mode], field, "p50") - plain, "µs", "≤ 2000")
                     for mode in modes]
    bench.stack.persai()
    line = bench.load("doors, many", "persai", 0, mode="openai", streams=1000, rate=20, tokens=100, ramp=2000, timeout=90)
    rows.append(("1,000 streams at /v1 × 20 tokens/s", "whole, byte for byte", line["ok"], "of 1000", "all"))
    return [*rows, *tool_call(bench)]


def tool_call(bench):
    """One tool by /mcp, of those that ask nobody else: one call after the other."""
    stack, count, times = bench.stack, 300, []
    stack.persai()
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "find_tools", "arguments": {"words": "search logs"}}})
    headers = {"Content-Type": "application/json", "X-PersAI-Datasource": "/proxy/globaldatasources/bench"}
    connection = http.client.HTTPConnection("127.0.0.1", stack.ports["gateway"], timeout=30)
    for _ in range(count):
        began = time.perf_counter()
        connection.request("POST", "/mcp", body, headers)
        said = connection.getresponse().read()
        times.append((time.perf_counter() - began) * 1e6)
        if b'"isError":false' not in said:
            bench.failed += 1
            print(f"bench: a tool's call: {said[:300]}", file=sys.stderr)
            break
    connection.close()
    took = statistics.median(times)
    bench.out({"scenario": "doors, tool", "target": "persai", "calls": len(times), "us": round(took)})
    return [("a tool's call by /mcp, one after the other", "whole, p50", took, "µs", "")]


def instructions(bench):
    """Instructions a token, by callgrind: the same on every machine. Two runs that differ in tokens only; the
    difference is the tokens' own."""
    if "persai" not in bench.targets:
        return []
    tokens = (200, 600)
    counts = {count: spent(bench, streams=20, rate=20, tokens=count) for count in tokens}
    apart = 20 * (tokens[1] - tokens[0])
    rows = []
    for name in ("gateway", "worker"):
        value = (counts[tokens[1]][name] - counts[tokens[0]][name]) / apart
        bench.out({"scenario": "instructions", "target": name, "per_token": round(value)})
        rows.append(("20 streams × 20 tokens/s, callgrind", name, value, "instructions/token", ""))
    return rows


def recorded(bench, env=None, **options):
    """callgrind's files of a gateway and of a worker, from their start to their end, with such a load."""
    stack = bench.stack
    stack.persai(wrap=["valgrind", "--tool=callgrind", f"--callgrind-out-file={stack.dir}/callgrind.%p"], env=env)
    pids = {name: stack.pid(name) for name in ("gateway", "worker")}
    bench.load("instructions", "persai", 0, timeout=120, **options)
    for name in pids:
        stack.stop(name)
    return {name: stack.dir / f"callgrind.{pid}" for name, pid in pids.items()}


def spent(bench, **options):
    """All their instructions."""
    files = recorded(bench, **options)
    return {name: int(re.search(r"^(?:summary|totals): (\d+)", path.read_text(), re.M)[1]) for name, path in files.items()}


def inclusive(path):
    """Instructions of each function with what it calls."""
    done = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--threshold=100", path], check=True, capture_output=True,
                          text=True)
    found = re.findall(r"^ *([\d,]+) \([\d. ]+%\) +\S*?([^/\s]*):(\w+)", done.stdout, re.M)
    counts = {}
    for count, file, function in found:  # one that calls itself has several lines
        for name in (function, f"{file}:{function}"):
            counts[name] = max(counts.get(name, 0), int(count.replace(",", "")))
    return counts


class Collector(http.server.BaseHTTPRequestHandler):
    """Takes traces and forgets them."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


# As people have them: sets that come with PersAI, names of machines and customers, forms of numbers and keys.
RULES = ["include email, ipv4, ipv6, bearer, aws, gcp, iban"]
RULES += [rf"host{n} =~ \b[a-z]{{2,8}}-{n}\d\.corp\.example\b" for n in range(20)]
RULES += [rf"customer{n} =~ (?i)\bcustomer {n}[0-9]{{3}}\b" for n in range(15)]
RULES += [rf"key{n} =~ \bK{n:02}-[0-9A-F]{{16,32}}\b" for n in range(8)]


TRACING = {"gateway": ("spans_begin", "spans_begun", "spans_queued", "spans_left_queue", "spans_end", "otlp_send.c:on_timer"),
           "worker": ("turn_trace_loaded", "turn_trace_end", "llm_trace_begin", "llm_trace_said", "llm_trace_end",
                      "run_trace_end", "otlp_send.c:on_timer")}
REDACTING = ("mask_json", "unmask_json", "unmask_feed", "unmask_end")  # redact_begin: what was not seen before


def trust(bench):
    """The share of traces and of redaction by 50 rules in what turns of 300 tokens cost, by callgrind's instructions: of
    their own functions, since with a load's wake-ups the whole differs by more than they cost."""
    if "persai" not in bench.targets:
        return []
    collector = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    rules = bench.stack.dir / "rules"
    rules.write_text("\n".join(RULES) + "\n")
    load, what, rows = {"streams": 40, "rate": 50, "tokens": 300}, "40 turns of 300 tokens, callgrind", []
    traced = recorded(bench, {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}"}, **load)
    traced = {name: inclusive(path) for name, path in traced.items()}
    masked = {name: inclusive(path) for name, path in recorded(bench, {"PERSAI_REDACT": str(rules)}, **load).items()}
    collector.shutdown()
    for name, functions in TRACING.items():
        spent_on = sum(traced[name].get(f, 0) - masked[name].get(f, 0) for f in functions)
        rows.append((what, f"{name}, traces", 100 * spent_on / traced[name]["loop_run"], "% of its instructions", "≤ 3"))
    worker = masked["worker"]
    again = sum(worker.get(f, 0) for f in REDACTING) - worker["redact_begin"]
    rows.append((what, "worker, redaction by 50 rules", 100 * again / worker["loop_run"], "% of its instructions", "≤ 5"))
    rows.append((what, "what it costs to see all texts first", worker["redact_begin"] / 1e6, "million instructions", ""))
    for one, count, unit in ((r[1], r[2], r[3]) for r in rows):
        bench.out({"scenario": "trust", "target": one, "value": round(count, 2), "unit": unit})
    return rows


def counted(*argv):
    """All instructions of a program's run."""
    done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *map(str, argv)],
                          check=True, capture_output=True, text=True)
    return int(re.search(r"Collected : (\d+)", done.stderr).group(1))


def pieces(bench):
    """The token path piece by piece, by callgrind."""
    program = bench.stack.build / "tests/bench/bench-micro"
    rows = []
    for name in subprocess.run([program], check=True, capture_output=True, text=True).stdout.split():
        value = (counted(program, name, 3000) - counted(program, name, 1000)) / 2000
        time = subprocess.run([program, name, "2000000"], check=True, capture_output=True, text=True)
        bench.out({"scenario": "pieces", "target": name, "per_token": value, "ns": float(time.stdout.split()[0])})
        rows.append(("pieces of the token path, callgrind", name, value, "instructions", ""))
        if name.startswith("token_"):  # of the worker, whole: parse to frame
            rows.append(("parse to frame, one token", name, float(time.stdout.split()[0]) / 1000, "µs CPU/token", "≤ 10"))
    return rows


def tools(bench):
    """What the agent's tools do with large answers, and for how long the worker's loop waits for one slice of it."""
    program = bench.stack.build / "tests/bench/bench-tools"
    rows = []
    for name, what, goal in (("summary", "a result of 1,000 series × 1,000 points, summarised", "≤ 100"),
                             ("list_warm", "list_metrics over 100,000 names, warm", "≤ 300"),
                             ("list_cold", "its catalog read anew", "")):
        done = subprocess.run([program, name], check=True, capture_output=True, text=True)
        whole, longest = map(float, done.stdout.split()[:2])
        bench.out({"scenario": "tools", "target": name, "ms": whole, "longest_ms": longest})
        rows += [(what, "worker", whole, "ms CPU", goal), (what, "longest slice", longest, "ms", "≤ 20")]
    return rows


QUICK = (paced, few, speed, latency, doors, elsewhere, kept, turn, carry, back, tools)
FULL = (*QUICK, behind, many, quiet, pieces, instructions, trust)
