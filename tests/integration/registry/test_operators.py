"""Operators of MongoDB in bodies and parameters are values of the wrong kind, in every operation of the document."""

from typing import Any

from tests.support.api import Api
from tests.support.matrix import Operation, operations

OPERATORS: tuple[Any, ...] = ({"$ne": None}, {"$gt": ""}, {"$where": "sleep(1000)"})
NOBODYS = {
    "schedule_id": "sch_00000000000000000000000000",
    "email_id": "eml_00000000000000000000000000",
    "batch_id": "bat_00000000000000000000000000",
    "key_id": "key_00000000000000000000000000",
    "suppression_id": "sup_00000000000000000000000000",
    "webhook_id": "whk_00000000000000000000000000",
    "message_id": "whm_00000000000000000000000000",
    "name": "mailgun",
}


def found(api: Api) -> list[tuple[Operation, str]]:
    known = {name: (lambda given=value: str(given)) for name, value in NOBODYS.items()}
    made = [each for each in operations(api.get("/openapi.json")) if not each.public]
    return [(each, each.address(known)) for each in made]


def test_an_operator_in_place_of_any_field_is_refused(api: Api) -> None:
    tried = 0
    for operation, address in found(api):
        for name in operation.body or {}:
            for operator in OPERATORS:
                answer = api.call(operation.method, address, {**operation.body, name: operator})
                assert answer.status_code in (404, 422), f"{operation} {name}: {answer.text}"
                tried += 1
    assert tried > 50


def test_an_operator_in_the_name_of_a_parameter_is_refused(api: Api) -> None:
    for operation, address in found(api):
        for name in ("q[$gt]", "state[$ne]", "$where", "to.$in"):
            answer = api.call(operation.method, f"{address}?{name}=1", operation.body)
            assert answer.status_code == 422, f"{operation} {name}: {answer.text}"


def test_an_operator_in_a_path_is_no_address(api: Api) -> None:
    for path in ("/schedules/{$ne:null}", "/emails/%7B%22$ne%22:null%7D", "/api-keys/$where"):
        assert api.call("GET", path).status_code == 404
