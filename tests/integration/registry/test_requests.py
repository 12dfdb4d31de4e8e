"""What holds for every request: ids, hosts, origins, headers, and servers that are away."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from werkzeug.test import TestResponse

from fencepost.errors import Unreachable
from fencepost.settings import MongoDB, Settings, load
from fencepost.store import Store
from registry.app import create_app
from registry.parts import Parts
from registry.startup import Startup
from tests.support.api import Api, text


def test_a_sane_request_id_is_kept_and_another_replaced(api: Api) -> None:
    assert (
        api.call("GET", "/healthz", headers={"X-Request-Id": "trace-0123456789"}).headers["X-Request-Id"]
        == "trace-0123456789"
    )
    for given in ("", "short", "x" * 129, "two words here", "<script>alert(1)</script>"):
        assert api.call("GET", "/healthz", headers={"X-Request-Id": given}).headers["X-Request-Id"].startswith("req_")


@pytest.mark.parametrize("path", ["/schedules/", "/reports//activity", "/SCHEDULES", "/schedules/../schedules/"])
def test_an_address_has_one_spelling_and_nothing_is_redirected(api: Api, path: str) -> None:
    assert api.call("GET", path).status_code == 404


def test_a_problem_carries_the_request_id(api: Api) -> None:
    answer = api.call("GET", "/nothing", headers={"X-Request-Id": "trace-0123456789"})
    assert answer.get_json(force=True)["request_id"] == "trace-0123456789"


@pytest.mark.parametrize("host", ["localhost", "localhost:5000", "127.0.0.1:5000", "[::1]:5000", "LOCALHOST"])
def test_our_own_names_are_answered(api: Api, host: str) -> None:
    assert api.call("GET", "/schedules", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "localhost@evil.example", "", "::1", "localhost:x", "127.0.0.1.nip.io"],
)
def test_a_foreign_name_is_refused(api: Api, host: str) -> None:
    """A page that lets its own name point at this machine sends that name."""
    for method, path in (("GET", "/schedules"), ("POST", "/schedules"), ("GET", "/openapi.json")):
        assert api.call(method, path, headers={"Host": host}).status_code == 421


FOREIGN = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:3000"},
    {"Origin": "http://localhost.evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_foreign_page_writes_nothing(api: Api, store: Store, headers: dict[str, str]) -> None:
    path = f"/schedules/{api.create()['id']}"
    before = store.database.schedules.find_one({})
    for method, where in (("POST", "/schedules"), ("PATCH", path), ("DELETE", path), ("POST", f"{path}/trigger")):
        assert api.call(method, where, text(), headers=headers).status_code == 403
    assert list(store.database.schedules.find({})) == [before]
    assert api.call("GET", path, headers=headers).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Origin": "http://localhost"}, {"Sec-Fetch-Site": "same-origin"}], ids=str)
def test_programs_and_our_own_page_may_write(api: Api, headers: dict[str, str]) -> None:
    assert api.call("POST", "/schedules", text(), headers=headers).status_code == 201


@pytest.mark.parametrize(
    "path", ["/schedules", "/nothing", "/healthz", "/openapi.json", "/docs", "/problems", "/metrics"]
)
def test_every_answer_forbids_a_browser_what_it_need_not_do(api: Api, path: str) -> None:
    headers = api.call("GET", path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "Access-Control-Allow-Origin" not in headers


@pytest.fixture
def cut_off(parts: Parts) -> Iterator[Api]:
    """The registry with a MongoDB that is not there."""
    nowhere = Store.open(MongoDB(url="mongodb://127.0.0.1:9/?directConnection=true", timeout_seconds=0.2))
    lost = replace(parts, store=nowhere, startup=Startup(nowhere, 64))
    yield Api(create_app(lost).test_client())
    nowhere.close()


def test_without_mongodb_requests_are_put_off_with_its_name(cut_off: Api) -> None:
    def unavailable(answer: TestResponse) -> Any:
        problem = answer.get_json(force=True)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert problem["detail"].startswith("mongodb does not answer")
        return problem

    some_id = "sch_01JDZZZZZZZZZZZZZZZZZZZZZZ"
    unavailable(cut_off.call("GET", "/schedules"))
    unavailable(cut_off.call("POST", "/schedules", text()))
    unavailable(cut_off.call("PATCH", f"/schedules/{some_id}", {"name": "New"}))
    unavailable(cut_off.call("GET", "/emails"))
    assert cut_off.post("/schedules", text(name=""), status=422)
    assert len(cut_off.post("/schedules/preview", {"recurrence": text()["recurrence"]})["occurrences"]) == 10


def test_without_mongodb_the_cluster_says_so(cut_off: Api) -> None:
    answer = cut_off.get("/cluster")
    assert [note["server"] for note in answer["notes"]] == ["mongodb"]
    assert (answer["lag_seconds"], answer["emails_by_state"], answer["alarms"]) == (None, None, None)
    assert answer["members"] == []


def test_without_mongodb_it_is_alive_and_not_ready(cut_off: Api) -> None:
    assert cut_off.get("/healthz") == {"status": "ok"}
    answer = cut_off.call("GET", "/readyz")
    assert answer.status_code == 503
    checks = answer.get_json()["checks"]
    assert {name: check["ok"] for name, check in checks.items()} == {"mongodb": False, "etcd": True, "redis": True}


def down(server: str) -> Callable[[], Any]:
    def call() -> Any:
        raise Unreachable(server, "no connection")

    return call


def test_it_is_ready_when_all_answer(api: Api, parts: Parts) -> None:
    assert api.call("GET", "/readyz").status_code == 503  # the migrations of this process have not run yet
    parts.startup.prepare()
    assert api.get("/readyz")["status"] == "ok"


def test_without_etcd_or_redis_it_serves_and_says_what_is_lacking(parts: Parts) -> None:
    parts.startup.prepare()
    api = Api(create_app(replace(parts, read_cluster=down("etcd"), ping_redis=down("redis"))).test_client())
    ready = api.get("/readyz")
    assert ready["status"] == "degraded"
    assert ready["checks"]["etcd"] == {"ok": False, "detail": "etcd: no connection"}
    assert not ready["checks"]["redis"]["ok"]
    assert api.create()["status"] == "active"
    cluster = api.get("/cluster")
    assert cluster["members"] is None
    assert [(note["server"], note["detail"]) for note in cluster["notes"]] == [
        ("etcd", "etcd: no connection"),
        ("redis", "redis: no connection"),
    ]
    assert cluster["shard_count"] == 64


def test_a_server_that_says_nothing_does_not_hold_up_the_probe(parts: Parts) -> None:
    silent = Event()
    parts.startup.prepare()
    api = Api(create_app(replace(parts, ping_redis=silent.wait)).test_client())  # type: ignore[arg-type]
    try:
        assert api.get("/readyz")["checks"]["redis"] == {"ok": False, "detail": "no answer within 2 s"}
    finally:
        silent.set()


def test_a_server_that_says_nothing_does_not_keep_the_others_from_being_asked(parts: Parts) -> None:
    silent = Event()
    parts.startup.prepare()
    app = create_app(replace(parts, ping_redis=silent.wait))  # type: ignore[arg-type]

    def ready(_: int) -> Any:
        return Api(app.test_client()).get("/readyz")

    try:
        with ThreadPoolExecutor(3) as pool:
            assert [found["status"] for found in pool.map(ready, range(3))] == ["degraded"] * 3
        checks = ready(4)["checks"]
        assert {name: check["ok"] for name, check in checks.items()} == {"mongodb": True, "etcd": True, "redis": False}
    finally:
        silent.set()


def test_the_number_of_shards_is_that_of_the_first_start(store: Store) -> None:
    assert Startup(store, 16).shards == 16
    assert Startup(store, 64).shards == 16


def test_requests_are_counted_by_route_and_not_by_path(api: Api) -> None:
    made = api.create()
    api.get(f"/schedules/{made['id']}")
    api.get("/nothing", status=404)
    metrics = api.call("GET", "/metrics").text
    assert 'fencepost_http_requests_total{method="POST",route="/schedules",status="201"} 1.0' in metrics
    assert 'route="/schedules/<schedule:schedule_id>",status="200"} 1.0' in metrics
    assert made["id"] not in metrics


def test_no_secret_and_no_address_gets_into_logs_metrics_or_problems(
    registry_settings: Settings, parts: Parts, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    canaries = {
        "FENCEPOST_PROVIDERS__MAILGUN__API_KEY": "key-canary123456",
        "FENCEPOST_REDIS__URL": "redis://u:canary654321@127.0.0.1:9/0",
        "FENCEPOST_REGISTRY__KEY_PEPPER": "pepper-canary",
        "FENCEPOST_REGISTRY__TRUST_LOOPBACK": "true",
    }
    settings = load({**canaries, "FENCEPOST_CONFIG_DIR": str(tmp_path)})
    api = Api(create_app(replace(parts, settings=settings)).test_client())
    made = api.create(
        message={"to": ["canary-recipient@example.com"], "subject": "canary-subject", "text": "canary-body"}
    )
    path = f"/schedules/{made['id']}"
    api.patch(path, {"message": {"subject": "canary-subject 2"}})
    api.post(f"{path}/trigger", status=202)
    api.post(f"{path}/pause", {"reason": "canary-reason"})
    api.delete(path)
    api.post("/schedules", text(message={"to": ["canary nonsense"]}), status=422)
    secret = api.post("/api-keys", {"name": "Shop", "scopes": ["emails:read"]}, status=201)["secret"]
    for used in (secret, secret[:-64] + "canary".ljust(64, "0"), "fp_live_canary"):
        for path in ("/emails", "/schedules", "/api-keys/current"):
            api.call("GET", path, headers={"Authorization": f"Bearer {used}"})
    said = "".join(capsys.readouterr()) + api.call("GET", "/metrics").text + api.call("GET", "/readyz").text
    assert "schedule.created" in said
    assert "canary" not in said
    assert secret.rpartition("_")[2] not in said
