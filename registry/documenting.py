"""The OpenAPI document: generated from the views, with the shapes of what they take and answer."""

import re
from collections.abc import Mapping
from typing import Any

from flask import Flask
from flask_openapi import APIBlueprint, OpenAPI
from flask_openapi.models import MediaType, RequestBody, Tag
from pydantic import BaseModel, TypeAdapter

from fencepost.definitions import ScheduleInput
from registry.access import Need, declared
from registry.incoming import MERGE_PATCH

PROBLEM = {
    "type": "object",
    "description": "A problem document (RFC 9457).",
    "properties": {
        "type": {"type": "string", "description": "The kind of problem; a link to what it means."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What happened, and what would be right."},
        "instance": {"type": "string", "description": "The path that was asked for."},
        "request_id": {"type": "string", "description": "The id under which the logs have it."},
        "errors": {
            "type": "array",
            "description": "One for each wrong field.",
            "items": {
                "type": "object",
                "properties": {
                    "pointer": {
                        "type": "string",
                        "description": "A JSON Pointer into the body, or /name of a parameter.",
                    },
                    "detail": {"type": "string"},
                },
                "required": ["pointer", "detail"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["type", "title", "status", "detail", "instance", "request_id", "errors"],
    "additionalProperties": False,
}
_PREFIX = "#/components/schemas/"
_KEY = "key"
KEY_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API key, `fp_live_…` or `fp_test_…`. Each operation names the scope that the key must have; `admin` covers all."
    " A program of the same machine may go without where the registry trusts loopback.",
}
TAGS = {
    "schedules": Tag(name="Schedules", description="What to send, to whom and when."),
    "emails": Tag(name="Emails", description="Every mail, and what happened to it."),
    "suppressions": Tag(name="Suppressions", description="Who gets no mail, and why."),
    "providers": Tag(name="Providers", description="Who sends the mail on, and how each stands."),
    "cluster": Tag(name="Cluster", description="The senders and what waits for them."),
    "audit": Tag(name="Audit", description="Proof that what should have happened did."),
    "reports": Tag(name="Reports", description="Counts."),
    "webhooks": Tag(name="Webhooks", description="Who is told of what becomes of mail, by Standard Webhooks."),
    "keys": Tag(name="API keys", description="Who may call this API, and what for."),
    "hooks": Tag(name="Hooks", description="What providers tell by themselves."),
}
_HEADERS: Mapping[str, Mapping[str, Any]] = {
    "ETag": {"description": "The version, for If-Match.", "schema": {"type": "string"}},
    "Location": {"description": "Where the new thing is.", "schema": {"type": "string"}},
    "Link": {"description": 'The next page, as rel="next".', "schema": {"type": "string"}},
}


def blueprint(name: str, module: str, tag: Tag) -> APIBlueprint:
    """A blueprint whose operations are named as its views are."""
    return APIBlueprint(name, module, abp_tags=[tag], operation_id_callback=lambda name, **_: name)


def register(app: OpenAPI, api: APIBlueprint) -> None:
    """Serve and document these views. The library forgets what is documented of a path as soon as another blueprint has it, too."""
    before = dict(app.paths)
    app.register_api(api)
    for path in before.keys() & api.paths.keys():
        others = before[path].model_dump(exclude_none=True).keys()
        app.paths[path] = api.paths[path].model_copy(update={name: getattr(before[path], name) for name in others})


def problems(description: str) -> dict[str, Any]:
    """A documented answer that is a problem document."""
    content = {"application/problem+json": {"schema": {"$ref": f"{_PREFIX}Problem"}}}
    return {"description": description, "content": content}


def answers(shape: Any, description: str, *headers: str) -> dict[str, Any]:
    """A documented answer of this shape, with these headers."""
    content = {"application/json": {"schema": {"$ref": _PREFIX + shape.__name__}}}
    return {"description": description, "content": content, "headers": {name: dict(_HEADERS[name]) for name in headers}}


def takes(model: type[BaseModel], example: Mapping[str, Any], *, required: bool = True) -> RequestBody:
    """A documented body."""
    return _body(model.__name__, ["application/json"], example, required)


def takes_changes(example: Mapping[str, Any]) -> RequestBody:
    """The documented body of a merge patch of a schedule."""
    return _body("ScheduleChanges", ["application/json", MERGE_PATCH], example, required=True)


def document(app: OpenAPI, shapes: list[Any], inputs: list[type[BaseModel]]) -> dict[str, Any]:
    """The whole document, once all views are registered."""
    adapters: list[Any] = [(shape, "serialization", TypeAdapter(shape)) for shape in shapes]
    adapters += [(model, "validation", TypeAdapter(model)) for model in inputs]
    _, schemas = TypeAdapter.json_schemas(adapters, ref_template=_PREFIX + "{model}")
    found = app.api_doc
    own = {**schemas["$defs"], "Problem": PROBLEM, "ScheduleChanges": _changes()}
    found["components"]["schemas"] = {**_of_parameters(found), **own}
    found["components"]["securitySchemes"] = {_KEY: KEY_SCHEME}
    needed = _security(app)
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            operation["security"] = needed[path, method]
            # The library documents a list of its own errors; ours are problem documents, whatever goes wrong.
            operation["responses"]["422"] = problems("A field or a parameter is wrong.")
            operation["responses"]["default"] = problems("Anything else that went wrong.")
            if "description" in operation:
                operation["description"] = operation["description"].replace("<br/>", "\n").strip()
            for parameter in operation.get("parameters", []):
                _say_optional_once(parameter["schema"])
    return found


def _security(app: Flask) -> dict[tuple[str, str], list[dict[str, list[str]]]]:
    """By path and method, as the document writes them, what a call needs."""
    found = {}
    for rule in app.url_map.iter_rules():
        access = declared(app.view_functions[rule.endpoint])
        scope = [access.scope.value] if isinstance(access, Need) and access.scope else []
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        for method in rule.methods or ():
            found[path, method.lower()] = [{_KEY: scope}] if isinstance(access, Need) else []
    return found


def _of_parameters(found: Mapping[str, Any]) -> dict[str, Any]:
    """The schemas that parameters refer to; the library's own shape of an error is not among them."""
    schemas = found["components"]["schemas"]
    return {name: schema for name, schema in schemas.items() if "enum" in schema}


def _say_optional_once(schema: dict[str, Any]) -> None:
    """A parameter that may be left out can't be null as well."""
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) == 1:
        del schema["anyOf"]
        schema.update(kinds[0])


def takes_anything(description: str) -> RequestBody:
    """A documented body whose shape is another's to say."""
    media = MediaType.model_validate({"schema": {"description": description}})
    return RequestBody(description=description, content={"application/json": media}, required=True)


def _body(name: str, media_types: list[str], example: Mapping[str, Any], required: bool) -> RequestBody:
    media = MediaType.model_validate({"schema": {"$ref": _PREFIX + name}, "example": dict(example)})
    return RequestBody(content=dict.fromkeys(media_types, media), required=required)


def _changes() -> dict[str, Any]:
    """Any part of a schedule's text; its values are checked after they are merged in."""
    fields = ScheduleInput.model_json_schema()["properties"]
    return {
        "type": "object",
        "description": "A JSON merge patch (RFC 7396) of a schedule's text: what is left out stays, null sets the default.",
        "properties": {name: {"description": f"As `{name}` of a schedule; objects are merged."} for name in fields},
        "additionalProperties": False,
    }
