"""Alertmanager's notifications, and the service user as whom they are investigated."""

from harness.client import DATASOURCE, Client
from harness.services import PASSWORD
from harness.stack import Stack

TOKEN = "webhook-canary-5b1f0c93d7"
SECRET = PASSWORD.format("robot")
SERVICE = {"PERSAI_WEBHOOK_TOKEN": TOKEN, "PERSAI_SERVICE_USER": "robot", "PERSAI_SERVICE_PASSWORD": SECRET}
PATH = f"/webhook/alertmanager?datasource_path={DATASOURCE}"


def firing(name: str, starts: str = "2026-11-25T10:00:00.5Z", **labels: str) -> dict:
    return {"status": "firing", "labels": {"alertname": name, **labels}, "startsAt": starts,
            "annotations": {"summary": f"{name} is up", "runbook_url": "https://wiki.example/runbooks/RoomHot"},
            "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://prometheus/graph?g0.expr=up&g0.tab=1",
            "fingerprint": "1a30ba71cca2921f"}


def notification(*alerts: dict) -> dict:
    return {"version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "status": "firing", "receiver": "persai",
            "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://alertmanager",
            "alerts": list(alerts)}


def hook(stack: Stack, gateway: int = 0) -> Client:
    return Client(stack.gateways[gateway].url, bearer=TOKEN)


def notify(stack: Stack, *alerts: dict, gateway: int = 0) -> list[dict]:
    answer = hook(stack, gateway).post(PATH, notification(*alerts))
    assert answer.status == 202, (answer.status, answer.body)
    return answer.json()["investigations"]
