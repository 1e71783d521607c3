"""Answers against the service's own OpenAPI description: does it know status, media type, headers and body?"""

import functools
import json

import jsonschema_rs

_LONGEST = 2_000_000
_OWN = "/playground/"  # what the playground's script asks is between the two of them
_DESCRIPTIONS = {}


def description_of(app):
    """The description of an app; None for one that has none. Apps with the same knowledge share what is made of it."""
    make = getattr(getattr(app, "state", None), "description", None)
    if make is None:
        return None
    key = app.state.fingerprint
    if key not in _DESCRIPTIONS:
        _DESCRIPTIONS[key] = Description(make)
    return _DESCRIPTIONS[key]


class Description:
    """An OpenAPI document that answers are held against."""

    def __init__(self, make):
        """``make`` gives the document, when it is first needed."""
        self._make = make
        self._validators = {}

    @functools.cached_property
    def document(self):
        return self._make()

    def check(self, answer):
        """Raise AssertionError for an answer that the document does not know."""
        problem = self.problem(answer)
        assert not problem, f"{answer.request.method} {answer.request.url.path} → {answer.status_code}: {problem}"

    def problem(self, answer):
        """What is wrong with an answer; None if it is described."""
        method = answer.request.method
        operations = self._operations(answer.request.url.path)
        if method == "OPTIONS" and (answer.status_code == 204 or "text/plain" in kind_of(answer)):
            return _of_options(answer)
        if answer.request.url.path.startswith(_OWN):
            return None
        if operations is None:
            return self._of_no_path(answer)
        operation = operations.get("get" if method == "HEAD" else method.lower())
        if operation is None:
            if answer.status_code not in (401, 403, 405):
                return "no such method is described, so that it should be 405"
            operation = next(iter(operations.values()))
        described = operation["responses"].get(str(answer.status_code))
        if described is None:
            return "no such status is described"
        return self._of_response(self._resolved(described), answer, method)

    def validator(self, schema):
        """What checks values against a schema of the document."""
        key = json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            components = {"schemas": self.document["components"]["schemas"]}
            whole = {**schema, "components": components}
            self._validators[key] = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        return self._validators[key]

    def _operations(self, path):
        paths = self.document["paths"]
        if path.strip("/").startswith("cds-services"):  # slashes too many are forgiven there
            path = "/" + "/".join(part for part in path.split("/") if part)
        if path in paths:
            return paths[path]
        first, _, rest = path.strip("/").partition("/")
        return paths["/cards/{page}"] if first == "cards" and rest and "/" not in rest else None

    def _of_no_path(self, answer):
        if answer.status_code < 400:
            return "no such path is described" if "json" in kind_of(answer) else None
        return self._of_response(self.document["components"]["responses"]["NotFound"], answer, answer.request.method)

    def _resolved(self, part):
        if "$ref" not in part:
            return part
        _, _, kind, name = part["$ref"].split("/")
        return self.document["components"][kind][name]

    def _of_response(self, described, answer, method):
        for name, header in described.get("headers", {}).items():
            value = answer.headers.get(name)
            if value is None or not self.validator(self._resolved(header)["schema"]).is_valid(value):
                return f"the header {name} is {value!r}"
        if kind_of(answer) not in {name.partition(";")[0] for name in described["content"]}:
            return f"the media type {kind_of(answer)} is not described"
        if method == "HEAD" or "json" not in kind_of(answer) or len(answer.content) > _LONGEST:
            return None
        schema = next(one["schema"] for name, one in described["content"].items() if name.startswith(kind_of(answer)))
        wrong = next(self.validator(schema).iter_errors(answer.json()), None)
        return wrong and f"{'.'.join(map(str, wrong.instance_path))}: {wrong.message[:300]}"


def is_of_wrong_shape(answer):
    """Whether a request was refused for its shape: no schema can say whose data a resource is."""
    return answer.status_code == 400 and "another patient" not in answer.text


def kind_of(answer):
    """The media type, without parameters."""
    return answer.headers.get("content-type", "").partition(";")[0]


def _of_options(answer):
    if answer.status_code == 204:
        return None if "OPTIONS" in answer.headers.get("allow", "") else "no header says what is allowed"
    return None if answer.status_code in (200, 400) else "a preflight is answered with 200 or 400"
