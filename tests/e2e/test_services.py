"""What the other tests take for granted of the real Prometheus and Perses."""

from harness.client import Client
from harness.services import HISTORY_COUNT, HISTORY_STEP, Perses, Prometheus, history_value
from harness.wait import until

READ_UP = "/proxy/globaldatasources/prometheus/api/v1/query?query=up"


def test_history_is_what_was_written(prometheus: Prometheus) -> None:
    result = prometheus.query_range("history_load", prometheus.history_start, prometheus.history_end, HISTORY_STEP)
    assert {r["metric"]["host"] for r in result} == {"a", "b", "c"}
    for series in result:
        values = [float(v) for _, v in series["values"]]
        assert values == [history_value(series["metric"]["host"], i) for i in range(HISTORY_COUNT)]


def test_live_data_is_scraped(prometheus: Prometheus) -> None:
    found = prometheus.query("room_temperature_celsius")["result"]
    assert {r["metric"]["room"]: r["value"][1] for r in found} == {"kitchen": "21.5", "cellar": "12.25", "attic": "33"}
    until(lambda: prometheus.query("rate(doors_opened_total[1m])"), "a rate", 30)


def test_perses_knows_who_is_who(perses: Perses) -> None:
    for user in ("alice", "bob"):
        cookies = perses.sign_in(user)
        assert perses.api("GET", "/api/v1/user/whoami", cookies=cookies).json()["metadata"]["name"] == user
        assert perses.api("GET", READ_UP, cookies=cookies).json()["status"] == "success"
        bearer = f"{cookies['jwtPayload']}.{cookies['jwtSignature']}"
        assert Client(perses.url, bearer=bearer).get("/api/v1/user/whoami").status == 200


def test_perses_is_closed(perses: Perses) -> None:
    assert perses.api("GET", "/api/v1/user/whoami").status == 401
    assert perses.api("GET", READ_UP).status == 401
    assert perses.api("GET", READ_UP, cookies=perses.sign_in("mallory")).status == 403
    body = {"kind": "GlobalDatasource", "metadata": {"name": "mine"}, "spec": Perses.closed_datasource("http://x")}
    assert perses.api("POST", "/api/v1/globaldatasources", body, perses.sign_in("alice")).status == 403


def test_perses_takes_our_datasource(perses: Perses) -> None:
    path = perses.put_gateway("http://127.0.0.1:1")
    assert perses.api("GET", f"{path}/healthz", cookies=perses.sign_in("alice")).status == 500
