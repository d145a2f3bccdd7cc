"""The OpenAPI 3.1 document, built from the endpoints and their models: what is not there does not exist, and the reverse."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from web.api.v1.endpoint import Endpoint, Who
from web.api.v1.problems import KINDS, MEDIA_TYPE
from web.api.v1.schemas import Problem

_REF: Final = "#/components/schemas/{model}"
_PLACES: Final[Mapping[str, dict[str, Any]]] = {
    "code": {"schema": {"type": "string", "maxLength": 20}, "description": "PL-...", "example": "PL-7K2QD"},
    "number": {"schema": {"type": "string", "pattern": "^[0-9]{8}$"}, "description": "Eight digits.", "example": "12345678"},
    "id": {"schema": {"type": "string", "pattern": "^[0-9a-fA-F]{48}$"}, "description": "`payment` of a purchase."},
    "webhook": {"schema": {"type": "string", "pattern": "^we_[0-9a-f]{1,16}$"}, "description": "Its `id`.", "example": "we_9c0f3a1b2"},
    "delivery": {"schema": {"type": "string", "pattern": "^dlv_[0-9a-f]{1,16}$"}, "description": "Its `id`.", "example": "dlv_9c0f3a1b2"},
    "gateway": {"schema": {"type": "string", "pattern": "^[a-z]{1,20}$"}, "description": "Its name.", "example": "daraja"},
}


def document(endpoints: Sequence[Endpoint], base_url: str) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    bearer = {"type": "http", "scheme": "bearer"}
    return {
        "openapi": "3.1.0",
        "info": dict(
            {"title": "PayLoom", "version": "1"},
            description="Payment links, orders and escrow. Amounts are whole minor units with their ISO 4217 currency.",
        ),
        "servers": [{"url": base_url}],
        "paths": paths,
        "components": {
            "schemas": _schemas(endpoints),
            "securitySchemes": {
                "api_key": dict(bearer, description="`plk_...`, made by an owner. It acts for its maker, in the role they have now."),
                "tracking_token": dict(bearer, description="The last part of a tracking address: acts as the buyer of that one order."),
            },
        },
    }


def _models(endpoints: Iterable[Endpoint]) -> dict[type[BaseModel], bool]:
    """Every model, and whether it is a request's."""
    found: dict[type[BaseModel], bool] = {Problem: False}
    for endpoint in endpoints:
        found |= {endpoint.body: True} if endpoint.body is not None else {}
        found |= {model: False for model in endpoint.answers.values() if not isinstance(model, str)}
    return found


def _schemas(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    wanted = [(model, "validation" if asked else "serialization") for model, asked in _models(endpoints).items()]
    _, found = models_json_schema(wanted, ref_template=_REF)  # type: ignore[arg-type]
    schemas: dict[str, Any] = _tidy(found["$defs"])
    return dict(sorted(schemas.items()))


def _tidy(schema: Any) -> Any:
    """Titles made of field names say nothing."""
    if isinstance(schema, list):
        return [_tidy(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {name: _tidy(value) for name, value in schema.items() if not (name == "title" and isinstance(value, str))}


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "description": endpoint.description,
        "parameters": [*_places(endpoint), *_query(endpoint), *_headers(endpoint)],
        "responses": {**_successes(endpoint), **_refusals(endpoint)},
        "security": [{"api_key": []}, {"tracking_token": []}] if endpoint.who is Who.BEARER else [],
    }
    if endpoint.body is not None:
        content = {"application/json": {"schema": {"$ref": _REF.format(model=endpoint.body.__name__)}}}
        found["requestBody"] = {"required": not endpoint.body_optional, "content": content}
    return found


def _places(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [{"name": name, "in": "path", "required": True, **_PLACES[name]} for name in re.findall(r"{(\w+)}", endpoint.path)]


def _query(endpoint: Endpoint) -> list[dict[str, Any]]:
    if endpoint.query is None:
        return []
    schema = _tidy(endpoint.query.model_json_schema(mode="validation"))
    found = []
    for name, field in schema["properties"].items():
        shape = next((one for one in field.get("anyOf", ()) if one.get("type") != "null"), field)
        if "$ref" in shape:
            shape = schema["$defs"][shape["$ref"].rpartition("/")[2]]
        plain = {key: value for key, value in shape.items() if key != "description"}
        described = {"description": field["description"]} if "description" in field else {}
        described |= {"description": shape["description"]} if "description" in shape and "pattern" in shape else {}
        found.append({"name": name, "in": "query", "required": False, "schema": plain, **described})
    return found


def _headers(endpoint: Endpoint) -> list[dict[str, Any]]:
    if not endpoint.once:
        return []
    shortest = 1 if endpoint.who is Who.BEARER else 16
    schema = {"type": "string", "minLength": shortest, "maxLength": 255, "pattern": "^[!-~]+$"}
    header: dict[str, Any] = {"name": "Idempotency-Key", "in": "header", "required": True, "schema": schema}
    return [dict(header, description="Repeat a request with the same key and it is done once. Use a UUID.")]


def _successes(endpoint: Endpoint) -> dict[str, Any]:
    found = {}
    for status, model in endpoint.answers.items():
        if isinstance(model, str):
            content: dict[str, Any] = {model: {"schema": {"type": "object"} if model.endswith("json") else {"type": "string"}}}
        else:
            content = {"application/json": {"schema": {"$ref": _REF.format(model=model.__name__)}}}
        answer: dict[str, Any] = {"description": endpoint.summary, "content": content}
        if endpoint.once:
            said = {"description": "`true` when this is the answer of an earlier request with the same key."}
            answer["headers"] = {"Idempotency-Replayed": {"schema": {"type": "string"}, **said}}
        found[str(status)] = answer
    return found


def refusals(endpoint: Endpoint) -> list[str]:
    """The codes that this address may answer with."""
    if endpoint.work is None and endpoint.query is None:
        return []
    codes = {"bad_input", *endpoint.refusals}
    if endpoint.who is Who.BEARER:
        codes |= {"not_recognized", "limit_reached", "not_found"}
    if "{" in endpoint.path or endpoint.body is not None:
        codes.add("not_found")
    if endpoint.on_miss is not None:
        codes.add("limit_reached")
    if endpoint.body is not None or endpoint.handler is not None:
        codes |= {"unreadable", "too_large"}
    if endpoint.body is not None:
        codes.add("not_json")
    if endpoint.once:
        codes |= {"idempotency_key", "key_reused"}
    if endpoint.method != "GET":
        codes.add("stale")
    return [code for code in KINDS if code in codes]


def _refusals(endpoint: Endpoint) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for code in refusals(endpoint):
        kind = KINDS[code]
        known = found.setdefault(str(kind.status), {"content": {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}}})
        known["description"] = "; ".join(filter(None, [known.get("description", ""), f"`{code}`: {kind.title}"]))
        if kind.status in {429, 503}:
            known["headers"] = {"Retry-After": {"schema": {"type": "string", "pattern": "^[0-9]+$"}}}
    return found
