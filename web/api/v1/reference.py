"""`/api/docs`: the document as a page. Made here, of the document alone; no script, nothing from elsewhere, readable without styles."""

from __future__ import annotations

import base64
import hashlib
import json
import shlex
from collections.abc import Mapping
from html import escape
from typing import Any, Final

from web.api.v1.problems import KINDS

_STYLE: Final = """
:root{color-scheme:light dark}*{box-sizing:border-box}
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;padding:1rem;max-inline-size:60rem}
nav ul,dl{columns:20rem}section{border-block-start:1px solid #8888;padding-block:1rem}
pre{overflow-x:auto;padding:.75rem;background:#8882;border-radius:.5rem}code{font:14px/1.5 ui-monospace,monospace}
table{border-collapse:collapse;inline-size:100%}th,td{text-align:start;padding:.25rem .5rem;border-block-end:1px solid #8884;vertical-align:top}
.m{font-weight:700}a{color:inherit}h2 code,h3 code{font-size:1em;overflow-wrap:anywhere}
"""
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY: Final = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def page(document: Mapping[str, Any]) -> str:
    info, base_url = document["info"], document["servers"][0]["url"]
    operations = [(path, method, one) for path, methods in document["paths"].items() for method, one in methods.items()]
    listed = "".join(
        f'<li><a href="#{escape(one["operationId"])}"><code><span class="m">{method.upper()}</span> {escape(path)}</code></a></li>'
        for path, method, one in operations
    )
    title = escape(info["title"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title} API</title><style>{_STYLE}</style></head><body><header><h1>{title} API</h1><p>{escape(info['description'])}</p>"
        f'<p><a href="/api/v1/openapi.json">OpenAPI 3.1</a></p></header><nav><ul>{listed}</ul></nav><main>'
        + "".join(_operation(base_url, document, path, method, one) for path, method, one in operations)
        + "".join(_schema(name, one) for name, one in document["components"]["schemas"].items())
        + _problems()
        + "</main></body></html>"
    )


def _operation(base_url: str, document: Mapping[str, Any], path: str, method: str, one: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(field['name'])}</code></td><td>{escape(field['in'])}</td><td>{_shape(field['schema'])}</td>"
        f"<td>{escape(field.get('description', ''))}</td></tr>"
        for field in one["parameters"]
    )
    answers = "".join(
        f"<tr><td><code>{status}</code></td><td>{''.join(_shape(kind['schema']) for kind in answer['content'].values())}</td>"
        f"<td>{escape(answer['description'])}</td></tr>"
        for status, answer in sorted(one["responses"].items())
    )
    body = one.get("requestBody")
    sent = f"<p>{_shape(body['content']['application/json']['schema'])}</p>" if body else ""
    return (
        f'<section id="{escape(one["operationId"])}"><h2><code><span class="m">{method.upper()}</span> {escape(path)}</code></h2>'
        f"<p>{escape(one['summary'])}. {escape(one['description'])}</p>"
        f"<pre><code>{escape(_curl(base_url, document, path, method, one))}</code></pre>{sent}"
        f"{f'<table>{rows}</table>' if rows else ''}<table>{answers}</table></section>"
    )


def _curl(base_url: str, document: Mapping[str, Any], path: str, method: str, one: Mapping[str, Any]) -> str:
    for field in one["parameters"]:
        if field["in"] == "path" and "example" in field:
            path = path.replace("{" + field["name"] + "}", field["example"])
    lines = [f"curl {'' if method == 'get' else f'-X {method.upper()} '}{base_url}{path}"]
    if one["security"]:
        lines.append("-H 'Authorization: Bearer '$KEY")
    if any(field["name"] == "Idempotency-Key" for field in one["parameters"]):
        lines.append("-H 'Idempotency-Key: '$(uuidgen)")
    body = one.get("requestBody")
    example = _example(document, body["content"]["application/json"]["schema"]) if body else {}
    if example:
        lines += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(json.dumps(example))}"]
    return " \\\n  ".join(lines)


_EXAMPLES: Final[Mapping[str, Any]] = {
    "amount_minor": 250000, "currency": "KES", "phone": "0712345678", "name": "Sneakers", "code": "123456", "courier": "G4S", "tracking": "G4S-1",
    "checkout": "TOKEN", "active": False,
    "url": "https://shop.example/payloom", "since": "2026-11-21T00:00:00Z", "enabled": True,
}  # fmt: skip


def _example(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    """The required fields, or those of an optional body we know an example for."""
    if "$ref" in schema:
        return _example(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if "enum" in schema:
        return schema["enum"][0]
    fields = schema.get("properties", {})
    wanted = schema.get("required") or [name for name in ("courier", "tracking", "active", "enabled") if name in fields]
    return {name: _EXAMPLES[name] if name in _EXAMPLES else _example(document, fields[name]) for name in wanted}


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    said = f"<p>{escape(schema['description'])}</p>" if schema.get("description") else ""
    if "enum" in schema:
        rows = "".join(f"<li><code>{escape(str(one))}</code></li>" for one in schema["enum"])
        return f'<section id="schema-{escape(name)}"><h3><code>{escape(name)}</code></h3>{said}<ul>{rows}</ul></section>'
    required = set(schema.get("required", ()))
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code>{'*' if field in required else ''}</td><td>{_shape(shape)}</td>"
        f"<td>{escape(shape.get('description', ''))}</td></tr>"
        for field, shape in schema.get("properties", {}).items()
    )
    return f'<section id="schema-{escape(name)}"><h3><code>{escape(name)}</code></h3>{said}<table>{rows}</table></section>'


def _shape(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#schema-{name}"><code>{name}</code></a>'
    if "anyOf" in schema:
        return " | ".join(_shape(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"[{_shape(schema['items'])}]"
    limits = [f"{word} {schema[key]}" for key, word in _LIMITS.items() if key in schema]
    kind = str(schema.get("format") or schema.get("type", "any"))
    return f"<code>{escape(', '.join([kind, *limits]))}</code>"


_LIMITS: Final = {"minimum": "≥", "maximum": "≤", "minLength": "≥ chars", "maxLength": "≤ chars", "default": "default"}


def _problems() -> str:
    rows = "".join(
        f'<tr id="{code}"><td><code>{kind.status} {code}</code></td><td>{escape(kind.title)}</td><td>{escape(kind.description)}</td></tr>'
        for code, kind in KINDS.items()
    )
    return f'<section id="problems"><h2>application/problem+json</h2><table>{rows}</table></section>'
