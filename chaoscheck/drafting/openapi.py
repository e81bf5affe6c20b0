"""An API description (OpenAPI 3.0 and 3.1, Swagger 2; JSON or YAML) as endpoints."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import yaml

from chaoscheck.drafting.endpoints import Endpoint, Field
from chaoscheck.errors import PlanError

METHODS = ("get", "post", "put", "patch", "delete")
DEEPEST = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What a description tells: endpoints, and whether credentials are sent as HTTP Basic with each request."""

    endpoints: tuple[Endpoint, ...]
    basic: bool
    bearer: bool


def read(text: str, where: str) -> Described:
    """The description in that text; `where` names it. Raises PlanError when it is none that we can read."""
    try:
        raw = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise PlanError(f"{where} is neither JSON nor YAML: {error}", hint=_HINT) from None
    if not isinstance(raw, dict) or not isinstance(raw.get("paths"), dict):
        raise PlanError(f"{where} is no API description: it has no paths", hint=_HINT)
    if not str(raw.get("openapi", raw.get("swagger", ""))).startswith(("2", "3")):
        raise PlanError(f"{where} doesn't say which OpenAPI it follows", hint=_HINT)
    document = _Document(raw, where)
    schemes = [scheme for scheme in document.schemes() if isinstance(scheme, dict)]
    return Described(
        endpoints=tuple(document.endpoints()),
        basic=any(_is(scheme, "basic") for scheme in schemes) and not any(_is(scheme, "bearer") for scheme in schemes),
        bearer=any(_is(scheme, "bearer") or scheme.get("type") == "oauth2" for scheme in schemes),
    )


_HINT = "give an OpenAPI 3 or Swagger 2 file, such as --openapi openapi.json, or the address that serves it"


def _is(scheme: Mapping[str, Any], kind: str) -> bool:
    return kind in (str(scheme.get("scheme", "")).lower(), str(scheme.get("type", "")).lower())


class _Document:
    def __init__(self, raw: dict[str, Any], where: str) -> None:
        self.raw = raw
        self.where = where
        self.base = _base(raw)

    def schemes(self) -> list[Any]:
        parts = self._map(self._map(self.raw.get("components")).get("securitySchemes"))
        return list((parts or self._map(self.raw.get("securityDefinitions"))).values())

    def endpoints(self) -> Iterator[Endpoint]:
        for path, methods in self.raw["paths"].items():
            shared = self._list(self._map(self._at(methods)).get("parameters"))
            for method, operation in self._map(self._at(methods)).items():
                if method in METHODS and isinstance(operation, dict):
                    yield self._endpoint(str(path), method, operation, shared)

    def _endpoint(self, path: str, method: str, operation: dict[str, Any], shared: list[Any]) -> Endpoint:
        body, fields = self._body(operation, [*shared, *self._list(operation.get("parameters"))])
        good = {str(code): self._map(self._at(each)) for code, each in self._map(operation.get("responses")).items()}
        statuses = tuple(sorted(int(code) for code in good if re.fullmatch(r"[23]\d\d", code) and code != "304"))
        shown = next((good[str(code)] for code in statuses if code < 300), {})
        security = operation.get("security", self.raw.get("security"))
        whole = self.base + path
        return Endpoint(
            method=method,
            path=whole,
            where=f"{method.upper()} {whole} in {self.where}",
            name=f"{operation.get('operationId') or ''} {operation.get('summary') or ''}",
            body=body,
            fields=fields,
            shows=tuple(self._members(self._content(shown)[1], "", DEEPEST, True)),
            statuses=statuses,
            secured=None if security is None else isinstance(security, list) and bool(security) and {} not in security,
        )

    def _body(self, operation: dict[str, Any], parameters: list[Any]) -> tuple[str, tuple[Field, ...]]:
        kind, schema = self._content(self._map(self._at(operation.get("requestBody"))))
        if schema:
            return kind, tuple(self._members(schema, "", DEEPEST, True))
        named = [self._map(self._at(each)) for each in parameters]
        whole = next((each for each in named if each.get("in") == "body"), None)
        if whole is not None:
            return "json", tuple(self._members(whole.get("schema"), "", DEEPEST, True))
        form = [each for each in named if each.get("in") == "formData"]
        return ("form" if form else ""), tuple(
            Field(path=str(each.get("name")), type=str(each.get("type", "string")), required=bool(each.get("required")))
            for each in form
        )

    def _content(self, holder: dict[str, Any]) -> tuple[str, Any]:
        """("json" or "form", schema) of a request body or a response."""
        content = self._map(holder.get("content"))
        for media, described in content.items():
            kind = "json" if "json" in media else "form" if "form" in media else ""
            if kind:
                return kind, self._map(described).get("schema")
        return "json", holder.get("schema")

    def _members(self, schema: Any, path: str, left: int, required: bool) -> Iterator[Field]:
        """Leaves of an object, required ones told apart; arrays are one field."""
        schema = self._map(self._at(schema))
        properties = self._all(schema, "properties")
        kind = schema.get("type")
        kind = next((each for each in kind if each != "null"), "") if isinstance(kind, list) else kind
        if left == 0 or kind == "array" or (not properties and kind != "object" and path):
            yield Field(path=path, type=str(kind or "string"), required=required, literal=_literal(schema))
            return
        needed = {str(name) for name in self._all(schema, "required")}
        if (kind == "object" and schema.get("additionalProperties") not in (None, False)) or (path and not properties):
            yield Field(path=path, type="object", required=required, open=True)
        for name, each in properties.items():
            plain = "." not in str(name) and ":" not in str(name)
            if plain:
                yield from self._members(each, f"{path}.{name}".lstrip("."), left - 1, required and name in needed)

    def _all(self, schema: dict[str, Any], key: str) -> Any:
        """`properties` or `required`, those of `allOf` and of the first alternative too."""
        alternatives = [*self._list(schema.get("anyOf"))[:1], *self._list(schema.get("oneOf"))[:1]]
        parts = [schema, *(self._map(self._at(each)) for each in [*self._list(schema.get("allOf")), *alternatives])]
        if key == "required":
            return [name for part in parts for name in self._list(part.get(key))]
        return {name: each for part in parts for name, each in self._map(part.get(key)).items()}

    def _at(self, value: Any) -> Any:
        """What a reference inside this document leads to; of a ring, and of other documents, nothing."""
        for _ in range(20):
            if not isinstance(value, dict) or "$ref" not in value:
                return value
            value = self._follow(str(value["$ref"]))
        return None

    def _follow(self, reference: str) -> Any:
        if not reference.startswith("#/"):
            return None
        found: Any = self.raw
        for part in reference[2:].split("/"):
            found = self._map(found).get(part.replace("~1", "/").replace("~0", "~"))
        return found

    @staticmethod
    def _list(value: Any) -> list[Any]:
        return value if isinstance(value, list) else []

    @staticmethod
    def _map(value: Any) -> dict[str, Any]:
        return value if isinstance(value, dict) else {}


def _base(raw: dict[str, Any]) -> str:
    """The path before all paths: of Swagger its basePath, of OpenAPI the first server's."""
    if "basePath" in raw:
        return str(raw["basePath"]).rstrip("/")
    servers = raw.get("servers")
    first = servers[0] if isinstance(servers, list) and servers and isinstance(servers[0], dict) else {}
    url = str(first.get("url", ""))
    variables = first.get("variables")
    for name, variable in variables.items() if isinstance(variables, dict) else ():
        url = url.replace(f"{{{name}}}", str(variable.get("default", "") if isinstance(variable, dict) else ""))
    try:
        return urlsplit(url).path.rstrip("/")
    except ValueError:
        return ""


def _literal(schema: dict[str, Any]) -> Any:
    """What the description itself offers to send where any text wouldn't do; names and texts are made anew."""
    for key in ("const", "default"):
        if schema.get(key) is not None:
            return schema[key]
    allowed = schema.get("enum")
    if isinstance(allowed, list) and allowed:
        return allowed[0]
    return schema.get("example") if schema.get("format") or schema.get("type") not in ("string", None) else None
