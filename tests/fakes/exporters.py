"""Exporters that serve every metric of eval/catalogs/exporters.txt: its type, a help text, labels as the real exporter's
and values of its kind.

A value is a pure function of series and time: the same start gives the same world, its past included (`history`). What
differs is drawn from the series' own text, so no two results are equal by chance."""

import hashlib
import itertools
import math
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fakes.exporter_labels import INSTANCES, JOBS, LabelSet, label_sets
from fakes.server import Exchange, Fake, Request

CATALOG = Path(__file__).resolve().parent.parent / "eval" / "catalogs" / "exporters.txt"
OF_PROMETHEUS = ("up", "scrape_")  # what a scrape itself makes
DAY = 86400.0
Value = Callable[[float], float]

# Gauges: name, least, most, how far it swings. What is counted is whole.
GAUGES = [
    (r"replicas|number_\w*scheduled|completions|parallelism|current_healthy|desired_healthy", 2, 12, 0),
    (r"GPU_TEMP", 38, 84, 0.04), (r"GPU_UTIL|percent", 4, 97, 0.1), (r"POWER_USAGE|watts", 60, 290, 0.1),
    (r"FB_USED", 2000, 30000, 0.02), (r"status_code", 200, 200, 0), (r"tabl.*fragmentation|_ratio$", 0.05, 0.98, 0.02),
    (r"cpu_usage$|utilization", 0.02, 0.9, 0.2), (r"load\d+$|load_average", 0.1, 6, 0.2),
    (r"(limit|capacity|max|total|size|quota)\w*_bytes|MemTotal|_bytes_max", 2e9, 9e11, 0),
    (r"bytes|_size$|_mem$|memory(?!_failcnt)", 2e6, 6e9, 0.03), (r"usec$|_ms$|millis", 40, 9000, 0.1),
    (r"offset_seconds|jitter_seconds|estimated_error", 1e-5, 4e-3, 0.1),
    (r"lag_seconds|_age|oldest|latency|idle_seconds", 0.2, 90, 0.1),
    (r"seconds|duration", 0.002, 4, 0.1), (r"max_|_max|limit|spec_", 10, 9000, 0), (r"lsn|offset", 1e6, 9e9, 0),
    (r"keys|rows|tup|files|inodes|objects|docs|entries|records|messages", 40, 90000, 0.03), (r"", 20, 20000, 0.08)]
# Counters: name, least and most a second.
RATES = [
    (r"err|fail|drop|denied|evict|oom|restart|deadlock|conflict|rollback|lost|abort|timeout|expired|reject|leader_changes"
     r"|slow_queries|RetransSegs|NoPorts|carrier|vacuum|analyze", 0.02, 0.6),
    (r"bytes|octets|(received|sent)$|sectors", 2e3, 8e6), (r"seconds|_time", 0.001, 0.9), (r"usec|_ms_", 0.5, 800),
    (r"", 0.2, 300)]


def ends(words: str) -> str:
    return f"({'|'.join(words.split())})$"


# 0 or 1: as usual, but for one series.
ILL = ends("unschedulable paused suspend suspended status_waiting status_terminated readonly read_only device_error scrape_error "
           "in_progress rewrite_scheduled schedule_invalid loading loading_dump_file is_replica tilt")
WELL = ends("_up _ready success successful _enabled has_leader is_leader healthy link_up _status_running carrier clean_start "
            "slot_is_active slots_active connection_status http_ssl sync_status attached")
# Always 1.
PRESENT = ends("_info _labels _annotations _owner _reason _role _type _name _taint _ingress _tls _path _ports config_hash "
               "_address _addresses _policy _access_mode _volume_mode _claim_ref _secret selectors tolerations _ips _cidrs "
               "scheduler service_account qos_class jvm_runtime wal_status vacuum_phase _csi_attributes")
FUTURE = ends("cert_expiry expiration_timestamp_seconds ssl_expire_time_seconds next_schedule_time")
PAST = ends(r"(?<!oldest_)timestamp(_seconds)? (boot|start|ready|gc|completion|schedule|successful|renew)_time(_seconds)? "
            r"(initialized|scheduled|unscheduled|started|end|receipt|send)_time(_seconds)? _created _deleted state_started "
            r"stats_reset last_(auto)?(vacuum|analyze)")
# A part of another metric, label by label: its least and most share; one series has the most.
PARTS = {
    "kubelet_volume_stats_used_bytes": ("kubelet_volume_stats_capacity_bytes", 0.2, 0.96),
    "kubelet_volume_stats_available_bytes": ("kubelet_volume_stats_capacity_bytes", 0.04, 0.7),
    "kubelet_volume_stats_inodes_used": ("kubelet_volume_stats_inodes", 0.1, 0.8),
    "node_filesystem_avail_bytes": ("node_filesystem_size_bytes", 0.05, 0.6),
    "node_filesystem_free_bytes": ("node_filesystem_size_bytes", 0.62, 0.8),
    "node_filesystem_files_free": ("node_filesystem_files", 0.1, 0.9),
    "node_memory_MemAvailable_bytes": ("node_memory_MemTotal_bytes", 0.3, 0.7),
    "node_memory_MemFree_bytes": ("node_memory_MemTotal_bytes", 0.05, 0.25),
    "container_cpu_cfs_throttled_periods_total": ("container_cpu_cfs_periods_total", 0.01, 0.5),
    "kube_horizontalpodautoscaler_status_current_replicas": ("kube_horizontalpodautoscaler_spec_max_replicas", 0.2, 1),
    "kube_horizontalpodautoscaler_status_desired_replicas": ("kube_horizontalpodautoscaler_spec_max_replicas", 0.2, 1),
    "kube_daemonset_status_current_number_scheduled": ("kube_daemonset_status_desired_number_scheduled", 0.5, 0.95),
    "kube_deployment_status_replicas_available": ("kube_deployment_spec_replicas", 0.5, 1),
    "pg_stat_database_blks_read": ("pg_stat_database_blks_hit", 0.01, 0.2),
    "redis_keyspace_misses_total": ("redis_keyspace_hits_total", 0.02, 0.4),
    "nginx_connections_handled": ("nginx_connections_accepted", 0.99, 1),
}
# Some have none of it and some have: which deployments, which backends?
SOME = r"replicas_unavailable$|job_status_failed$|backend_active_servers$|number_misscheduled$|number_unavailable$"
QUANTILES = ("0.5", "0.9", "0.99")
SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
BYTES = [64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304]


def chance(*words: str) -> float:
    """0 to 1, always the same of the same words."""
    return int.from_bytes(hashlib.blake2b("|".join(words).encode(), digest_size=6).digest()) / 2**48


def drawn(low: float, high: float, *words: str) -> float:
    """Small ones are as frequent as large ones."""
    return low * (high / low) ** chance(*words)


def rule(table: list[tuple], name: str) -> tuple:
    return next(row[1:] for row in table if re.search(row[0], name, re.IGNORECASE))


@dataclass
class Family:
    """All samples below one TYPE line."""
    name: str
    type: str
    samples: list[str]  # the names of the catalog


def families(catalog: Path = CATALOG) -> list[Family]:
    types = dict(line.split() for line in catalog.read_text(encoding="utf-8").splitlines())
    types = {name: kind for name, kind in types.items() if not name.startswith(OF_PROMETHEUS)}
    found: dict[str, Family] = {}
    for name in types:
        base = re.sub(r"_(bucket|count|sum)$", "", name)
        if base + "_bucket" in types:
            family = found.setdefault(base, Family(base, "histogram", []))
        elif types.get(base) == "summary" or {base + "_count", base + "_sum"} <= types.keys():
            family = found.setdefault(base, Family(base, "summary", []))
        else:
            kind = "untyped" if types[name] == "unknown" else types[name]
            family = found[name] = Family(name, kind, [])
        family.samples.append(name)
    return list(found.values())


def help_of(family: Family) -> str:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", family.name).split("_")
    unit = {"bytes": ", in bytes", "seconds": ", in seconds", "ratio": ", 0 to 1"}.get(
        words[-1] if words[-1] != "total" else words[-2], "")
    said = " ".join(w for w in words if w != "total")
    begins = {"counter": "Count of", "histogram": "Distribution of", "summary": "Quantiles of"}.get(family.type, "Now:")
    return f"{begins} {said}{unit}."


def text_of(labels: LabelSet) -> str:
    return ",".join(f'{key}="{value}"' for key, value in labels.items())


class World:
    """All series of all exporters."""

    def __init__(self, start: float, catalog: Path = CATALOG) -> None:
        self.start = start
        self.families = families(catalog)
        self.pages: dict[tuple[str, str], list[tuple[str, Value | None]]] = {
            (job, instance): [] for job in JOBS for instance in INSTANCES.get(job, [f"{job}:9000"])}
        for family in self.families:
            self.serve(family)

    def serve(self, family: Family) -> None:
        jobs = [job for job, names in JOBS.items() if re.match(names, family.name)]
        assert jobs, f"no exporter has {family.name}"
        sets = label_sets(family.name)
        for job in jobs:
            places = [place for place in self.pages if place[0] == job]
            count = len(places) * len(sets)
            for at, (place, labels) in enumerate(itertools.product(places, sets)):
                page = self.pages[place]
                if at % len(sets) == 0:
                    page.append((f"# HELP {family.name} {help_of(family)}\n# TYPE {family.name} {family.type}", None))
                page += self.series(family, labels, "/".join(place), at, count)

    def series(self, family: Family, labels: LabelSet, place: str, at: int, count: int) -> Iterator[tuple[str, Value]]:
        key, said = f"{place}|{text_of(labels)}", text_of(labels)
        if family.type in ("histogram", "summary"):
            yield from self.distribution(family, said, key)
            return
        line = f"{family.name}{{{said}}}" if said else family.name
        yield line, self.value(family.name, family.type, labels, key, at, count)

    def value(self, name: str, kind: str, labels: LabelSet, key: str, at: int, count: int) -> Value:
        odd = count > 1 and at == int(chance(name, "odd") * count)
        if name in PARTS:
            whole, low, high = PARTS[name]
            of = self.value(whole, "counter" if kind == "counter" else "gauge", labels, key, at, count)
            share = high if odd else low + (high - low) * chance(name, key)
            fine = "bytes" in name
            return lambda t: of(t) * share if fine else float(round(of(t) * share))
        if kind == "counter" or (kind == "untyped" and not re.search(r"CurrEstab|Forwarding", name)):
            return self.counter(name, key)
        return self.state(name, labels, key, at, odd) or self.gauge(name, labels, key, odd)

    def counter(self, name: str, key: str) -> Value:
        low, high = rule(RATES, name)
        rate, age = drawn(low, high, name, key), drawn(DAY, 40 * DAY, "age", key)
        fine, begun = "seconds" in name, self.start - age
        return lambda t: rate * (t - begun) if fine else float(math.floor(rate * (t - begun)))

    def state(self, name: str, labels: LabelSet, key: str, at: int, odd: bool) -> Value | None:
        """What is 0 or 1, or a moment."""
        if labels.one_of is not None:
            return constant(labels.one_of)
        if re.search(SOME, name):
            return constant(float(at % 3 == 1) * (1 + at) if "servers" not in name else float(at % 3 != 1) * (2 + at))
        if re.search(ILL, name):
            return constant(float(odd))
        if re.search(WELL, name):
            return constant(float(not odd))
        if re.search(r"node_time_seconds$|last_seen$|now_timestamp", name):
            return lambda t: math.floor(t)
        if re.search(FUTURE, name):
            return constant(math.floor(self.start + drawn(2 * DAY, 90 * DAY, name, key)))
        if re.search(PAST, name):
            return constant(math.floor(self.start - drawn(90, 60 * DAY, name, key)))
        if re.search(PRESENT, name):
            return constant(1.0)
        return None

    def gauge(self, name: str, labels: LabelSet, key: str, odd: bool) -> Value:
        low, high, swing = rule(GAUGES, name if "byte" not in labels.get("unit", "") else "bytes")
        middle, phase, period = drawn(low, high, name, key), chance("phase", name, key) * 6, drawn(200, 3000, "period", key)
        whole = low >= 2 and high < 1e6 and not re.search(r"POWER|percent", name) or high >= 2e6
        least = 1.0 if odd else 0.0  # never all of them nothing

        def value(t: float) -> float:
            now = middle * (1 + swing * math.sin(t / period + phase))
            return max(least, float(round(now))) if whole else now

        return value

    def distribution(self, family: Family, said: str, key: str) -> Iterator[tuple[str, Value]]:
        name, comma = family.name, "," if said else ""
        in_bytes = bool(re.search(r"bytes|size", name))
        scale = 1000 if "milliseconds" in name else 1
        bounds = BYTES if in_bytes else [b * scale for b in SECONDS]
        middle = drawn(bounds[2], bounds[-4], name, key)
        rate, age = drawn(0.5, 80, "rate", name, key), drawn(DAY, 40 * DAY, "age", key)
        begun = self.start - age

        def below(share: float) -> Value:
            return lambda t: float(math.floor(rate * (t - begun) * share))

        if family.type == "histogram":
            for bound in bounds:
                yield f'{name}_bucket{{{said}{comma}le="{bound:g}"}}', below(1 / (1 + (middle / bound) ** 2))
            yield f'{name}_bucket{{{said}{comma}le="+Inf"}}', below(1)
        elif name in family.samples:
            for quantile in QUANTILES:
                yield f'{name}{{{said}{comma}quantile="{quantile}"}}', constant(middle / (1 / float(quantile) - 1) ** 0.5)
        braces = f"{{{said}}}" if said else ""
        yield f"{name}_sum{braces}", lambda t: rate * (t - begun) * middle * 1.4
        yield f"{name}_count{braces}", below(1)

    def page(self, place: tuple[str, str], now: float) -> str:
        """What this exporter serves."""
        return "".join(f"{line}\n" if value is None else f"{line} {value(now):.17g}\n" for line, value in self.pages[place])

    def history(self, end: float, step: float, count: int) -> Iterator[str]:
        """Samples before now, for `promtool tsdb create-blocks-from openmetrics`."""
        times = [end - step * back for back in reversed(range(count))]
        for (job, instance), page in self.pages.items():
            added = f'instance="{instance}",job="{job}"'
            for line, value in page:
                if value is not None:
                    full = f"{line[:-1]},{added}}}" if line.endswith("}") else f"{line}{{{added}}}"
                    yield from (f"{full} {value(t):.17g} {t:.0f}" for t in times)


def constant(value: float) -> Value:
    return lambda _: value


class Exporters(Fake):
    """Serves a world: each exporter at /JOB/INSTANCE."""

    def __init__(self, start: float | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        self.world = World(time.time() if start is None else start)
        self.paths = {f"/{job}/{number}": (job, instance) for job in JOBS for number, instance in
                      enumerate(i for j, i in self.world.pages if j == job)}
        super().__init__(host, port)

    def answer(self, exchange: Exchange, request: Request) -> None:
        place = self.paths.get(request.path)
        if place is None:
            exchange.reply(404, b"")
            return
        exchange.reply(200, self.world.page(place, time.time()).encode(), "text/plain; version=0.0.4")

    def scrapes(self, interval: str = "5s") -> list[dict]:
        """For Prometheus's scrape_configs."""
        return [{"job_name": job, "scrape_interval": interval, "scrape_timeout": interval,
                 "static_configs": [{"targets": [f"{self.host}:{self.port}"],
                                     "labels": {"instance": instance, "__metrics_path__": path}}
                                    for path, (of, instance) in self.paths.items() if of == job]}
                for job in JOBS]
