"""What the stacks bring for Prometheus and Perses: promtool takes the rules, and every metric they ask for is one of ours."""

import json
import re
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
RULES = TOP / "compose" / "provisioning" / "persai-alerts.yml"
DASHBOARD = TOP / "compose" / "provisioning" / "persai-dashboard.json"
METRICS = {name for part in ("gateway", "worker")
           for name in re.findall(r'^METRIC\(\w+, \w+, "(\w+)"', (TOP / part / "metrics.def").read_text(), re.M)}
METRICS |= set(re.findall(r'metric_new\(METRIC_\w+, "(\w+)"', (TOP / "common" / "audit.c").read_text()))


def test_promtool_takes_the_rules() -> None:
    done = subprocess.run(["promtool", "check", "rules", RULES], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and re.search(r"SUCCESS: \d+ rules found", done.stdout), done.stdout + done.stderr


def test_the_alerts_fire(tmp_path: Path) -> None:
    """promtool plays series to the rules: each alert is not there at first, and is in the end."""
    def case(series: str, values: str, alert: str, quiet: str = "1m", more: dict[str, str] | None = None, **labels: str) -> dict:
        severity = RULES.read_text().split(f"- alert: {alert}\n")[1].split("severity: ")[1].split(" ")[0]
        labels |= {"alertname": alert, "alertstate": "firing", "severity": severity}
        sample = "ALERTS{" + ", ".join(f'{k}="{v}"' for k, v in labels.items()) + "}"
        firing = {"expr": f'ALERTS{{alertname="{alert}", alertstate="firing"}}'}
        played = {series: values, **(more or {})}
        return {"interval": "30s", "input_series": [{"series": s, "values": v} for s, v in played.items()],
                "promql_expr_test": [{**firing, "eval_time": quiet, "exp_samples": []},
                                     {**firing, "eval_time": "20m", "exp_samples": [{"labels": sample, "value": 1}]}]}

    tests = [
        case('persai_workers{instance="g"}', "1x4 0x40", "PersAINoWorker", instance="g"),
        case('persai_workers{instance="cut off"}', "1x4 0x40", "PersAINoWorker", more={'persai_workers{instance="g"}': "2x44"},
             instance="cut off"),
        case('nothing', "1x4 1x40", "PersAINoWorker", "30s"),
        case('persai_redis_up{instance="g"}', "1x4 0x40", "PersAIRedisDown", instance="g"),
        case('persai_worker_redis_up{instance="w"}', "1x4 0x40", "PersAIRedisDown", instance="w"),
        case('persai_turns_queued{instance="g"}', "0x4 3x40", "PersAITurnsWait", "2m"),
        case('persai_turns_refused_total{instance="g"}', "0+1x40", "PersAITurnsRefused"),
        case('persai_worker_turns_total{outcome="failed"}', "0+1x40", "PersAITurnsFail"),
        case('persai_worker_model_errors_total{instance="w"}', "0+1x40", "PersAIModelFails"),
        case('persai_workers_lost_total{instance="g"}', "0+1x40", "PersAIWorkersLost"),
        case('persai_worker_turns_total{outcome="failed"}', "0+1x200", "PersAITurnsMissSlo"),
        case('persai_turns_given_up_total{instance="g"}', "0+1x200", "PersAITurnsMissSlo"),
        case('persai_worker_first_token_seconds_bucket{le="+Inf"}', "0+9x40", "PersAIFirstTokenSlow", more={
            'persai_worker_first_token_seconds_bucket{le="30"}': "0+9x40",
            'persai_worker_first_token_seconds_bucket{le="20"}': "0x40"}),
        case('gen_ai_execute_tool_duration_seconds_count{gen_ai_tool_name="t", error_type="failed"}', "0+1x40",
             "PersAIToolErrors", gen_ai_tool_name="t"),
        case('gen_ai_client_operation_duration_seconds_count{gen_ai_provider_name="p", gen_ai_request_model="m", error_type="e"}',
             "0+1x40", "PersAIProviderErrors", gen_ai_provider_name="p", gen_ai_request_model="m", error_type="e"),
        case('persai_worker_budget_used_tokens', "0x4 0+10x36", "PersAIBudgetLow",
             more={"persai_worker_budget_tokens": "100x40"}),
        case('persai_worker_budget_used_microdollars', "0x4 0+10x36", "PersAIBudgetLow",
             more={"persai_worker_budget_microdollars": "100x40"}),
        case('persai_audit_lost_total{instance="g"}', "0x4 0+1x40", "PersAIAuditLost", instance="g"),
        case('persai_trace_spans_total{outcome="dropped"}', "0+1x40", "PersAISpansLost"),
        case('process_resident_memory_bytes{job="persai-worker", instance="w"}', "950000000x40", "PersAIMemory",
             job="persai-worker", instance="w"),
    ]
    assert {t["promql_expr_test"][0]["expr"].split('"')[1] for t in tests} == set(re.findall(r"alert: (\w+)", RULES.read_text()))
    file = tmp_path / "tests.yml"
    file.write_text(json.dumps({"rule_files": [str(RULES)], "tests": tests}))
    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_one_that_fails_in_a_quiet_night_wakes_nobody(tmp_path: Path) -> None:
    """Nor does one worker's death that each of many gateways counts."""
    tool = 'gen_ai_execute_tool_duration_seconds_count{gen_ai_tool_name="t"'
    call = 'gen_ai_client_operation_duration_seconds_count{gen_ai_provider_name="p", gen_ai_request_model="m"'
    played = {'persai_worker_turns_total{outcome="failed"}': "0x10 1x120", 'persai_worker_turns_total{outcome="done"}': "7x130",
              tool + ', error_type="failed"}': "0x10 1x120", tool + "}": "5x130",
              call + ', error_type="model_timeout"}': "0x10 1x120", call + "}": "5x130",
              **{f'persai_workers_lost_total{{instance="g{n}"}}': "0x10 1x120" for n in range(6)},
              'persai_workers{instance="g0"}': "1x130"}
    file = tmp_path / "tests.yml"
    file.write_text(json.dumps({"rule_files": [str(RULES)], "tests": [{
        "interval": "30s", "input_series": [{"series": s, "values": v} for s, v in played.items()], "promql_expr_test": [
            {"expr": 'ALERTS{alertstate="firing"}', "eval_time": f"{minute}m", "exp_samples": []} for minute in range(5, 60)]}]}))
    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_was_used_yesterday_is_not_todays_budget(tmp_path: Path) -> None:
    """Budgets begin at midnight UTC, which is when the alert ends: the tokens of a rolling day kept it up until noon."""
    played = {'persai_worker_tokens_total{instance="w"}': "0+100x60 6000x60", 'persai_workers{instance="g"}': "1x120",
              'persai_worker_budget_tokens{instance="w"}': "5000x120",
              'persai_worker_budget_used_tokens{instance="w"}': "0+100x60 0x60"}
    firing = {"expr": 'count(ALERTS{alertname="PersAIBudgetLow"})'}
    file = tmp_path / "tests.yml"
    file.write_text(json.dumps({"rule_files": [str(RULES)], "tests": [{
        "interval": "1m", "input_series": [{"series": s, "values": v} for s, v in played.items()], "promql_expr_test": [
            {**firing, "eval_time": "30m", "exp_samples": []}, {**firing, "eval_time": "58m", "exp_samples": [{"value": 1}]},
            {**firing, "eval_time": "63m", "exp_samples": []}]}]}))
    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_runbook() -> None:
    text = (RULES.parent / "runbooks" / "persai.md").read_text()
    titles = {title.lower() for title in re.findall(r"^## (\w+)$", text, re.M)}
    alerts = re.findall(r"alert: (\w+)\n.*?runbook_url: \"persai\.md#(\w+)\"", RULES.read_text(), re.S)
    assert len(alerts) == RULES.read_text().count("- alert:") == len(titles)
    assert all(name.lower() == target for name, target in alerts) and {target for _, target in alerts} == titles


def test_every_metric_is_one_of_ours() -> None:
    for path in (RULES, DASHBOARD):
        asked = set(re.findall(r"\bpersai_\w+", path.read_text()))
        unknown = {name for name in asked if name not in METRICS and re.sub(r"_(bucket|sum|count)$", "", name) not in METRICS}
        assert len(asked) >= 7 and not unknown, unknown
