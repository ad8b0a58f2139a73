"""A client of PersAI's HTTP API, directly or through the Perses datasource proxy."""

import http.client
import json
import time
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode, urlsplit

from harness import spec
from harness.sse import Log, Stream, check_log, check_once
from harness.wait import SLOWNESS

DATASOURCE = "/proxy/globaldatasources/prometheus"


@dataclass
class Response:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> dict:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The stable word of an error; checks its shape on the way."""
        detail = self.json()["detail"]
        assert detail["response"] and isinstance(detail["response"], str), detail
        return detail["code"]


@dataclass
class Client:
    """cookies and bearer: as the browser or a script has them. prefix: the proxy's path."""

    base: str
    cookies: dict[str, str] = field(default_factory=dict)
    bearer: str = ""
    prefix: str = ""

    def headers(self) -> dict[str, str]:
        found = {}
        if self.cookies:
            found["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        if self.bearer:
            found["Authorization"] = f"Bearer {self.bearer}"
        return found

    def connect(self, seconds: float = 60) -> http.client.HTTPConnection:
        url = urlsplit(self.base)
        return http.client.HTTPConnection(url.hostname or "", url.port, timeout=seconds * SLOWNESS)

    def send(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None,
             raw: bytes | None = None, seconds: float = 60) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """body is sent as JSON; raw as it is."""
        all_headers = self.headers()
        if raw is None and body is not None:
            raw = json.dumps(body).encode()
        if raw is not None:
            all_headers["Content-Type"] = "application/json"
        all_headers.update(headers or {})
        connection = self.connect(seconds)
        try:
            try:
                connection.request(method, self.prefix + path, body=raw, headers=all_headers)
            except BrokenPipeError:
                pass  # refused before all of the body was sent: the answer is there
            return connection, connection.getresponse()
        except BaseException:
            connection.close()
            raise

    def request(self, method: str, path: str, body: object = None, **kw: object) -> Response:
        connection, response = self.send(method, path, body, **kw)  # type: ignore[arg-type]
        try:
            answer = Response(response.status, response.headers, response.read())
        finally:
            connection.close()
        spec.check_answer(method, path, answer.status, answer.headers, answer.body)
        return answer

    def get(self, path: str, **kw: object) -> Response:
        return self.request("GET", path, **kw)

    def post(self, path: str, body: object = None, **kw: object) -> Response:
        return self.request("POST", path, body, **kw)

    # ---- the API ----
    def session(self, **body: object) -> str:
        answer = self.post("/session", body)
        assert answer.status == 201, (answer.status, answer.body)
        return answer.json()["session_id"]

    def stream(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None,
               after: str | None = None, seconds: float = 60) -> Stream:
        connection, response = self.send(method, path, body, headers, seconds=seconds)
        if response.status != 200 or not response.headers.get("Content-Type", "").startswith("text/event-stream"):
            data = response.read()
            connection.close()
            spec.check_answer(method, path, response.status, response.headers, data)
            raise AssertionError(f"{method} {path}: {response.status} {data!r:.500}")
        return Stream(connection, response, after)

    def turn_path(self, session: str, datasource: str = DATASOURCE) -> str:
        return f"/session/{session}/turn?datasource_path={quote(datasource, safe='/')}"

    def turn(self, session: str, message: str, datasource: str = DATASOURCE, headers: dict[str, str] | None = None,
             **body: object) -> Stream:
        return self.stream("POST", self.turn_path(session, datasource), {"message": message, **body},
                           {"Accept": "text/event-stream", **(headers or {})})

    def ask(self, session: str, message: str, **kw: object) -> Log:
        return self.turn(session, message, **kw).finish()  # type: ignore[arg-type]

    def start(self, session: str, message: str, datasource: str = DATASOURCE, **body: object) -> str:
        """A turn whose stream is read elsewhere: its id."""
        answer = self.post(self.turn_path(session, datasource), {"message": message, **body},
                           headers={"Prefer": "respond-async"})
        assert answer.status == 202, (answer.status, answer.body)
        assert answer.json()["session_id"] == session
        return answer.json()["turn_id"]

    def events(self, session: str, turn: str, after: str | None = None, by_query: bool = False) -> Stream:
        path, headers = f"/session/{session}/turn/{turn}/events", {}
        if after and by_query:
            path += "?" + urlencode({"last_event_id": after})
        elif after:
            headers["Last-Event-ID"] = after
        return self.stream("GET", path, headers=headers, after=after)

    def follow(self, session: str, turn: str, first: Stream | None = None, seconds: float = 60,
               others: "list[Client] | None" = None, reload: bool = False) -> Log:
        """As a good client does: reads past its last id, again and again, until a final event; also on
        another gateway. reload: where a promoted replica may lack text that was seen, history_lost is
        answered by reading everything anew, and no id that was seen may come with something else. The
        whole log is checked."""
        clients = [self, *(others or [])]
        log, seen = Log(), Log()
        end = time.monotonic() + seconds * SLOWNESS
        stream, tries = first, 0
        while True:
            if stream is not None:
                stream.ended.wait(max(0.1, end - time.monotonic()))
                log += stream.log
                stream.close()
                if reload and (stream.parser.given_up or {}).get("code") == "history_lost":
                    seen += log
                    log = Log()
                if log and log[-1].final:
                    check_log(log)
                    check_once(seen, log)
                    return log
            assert time.monotonic() < end, f"no final event in {seconds:g} s: {[str(e) for e in log[-5:]]}"
            client = clients[tries % len(clients)]
            tries += 1
            try:
                stream = client.events(session, turn, log[-1].id if log else None)
            except (OSError, http.client.HTTPException):
                stream = None
                time.sleep(0.05)
            except AssertionError as error:
                if " 503 " not in str(error):
                    raise
                stream = None
                time.sleep(0.05)

    def messages(self, session: str) -> list[dict]:
        answer = self.get(f"/session/{session}")
        assert answer.status == 200, (answer.status, answer.body)
        return answer.json()["messages"]

    def sessions(self, query: str = "") -> list[dict]:
        answer = self.get("/sessions" + query)
        assert answer.status == 200, (answer.status, answer.body)
        return answer.json()
