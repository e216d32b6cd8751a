"""The write address of InfluxDB 2, which reads line protocol strictly and keeps points as InfluxDB does.

`InfluxWrites` is for a WebhookServer's `accept`: it wants the token, the organisation and the bucket, gives
a field the type of its first point, refuses points of another (the rest of the batch is stored: "partial
write"), and lets a point with the same series and time replace the one before. Standard library only.
"""

import json
import re
import threading
import urllib.parse

INTEGER = re.compile(r"-?\d+i$")
FLOAT = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?$")


class Malformed(Exception):
    pass


def split(text, separators, in_quotes=False):
    """The first piece, its unescaped text, and the rest from the separator on."""
    at, quoted = 0, False
    while at < len(text):
        character = text[at]
        if character == "\\" and at + 1 < len(text):
            at += 2
            continue
        if in_quotes and character == '"':
            quoted = not quoted
        elif not quoted and character in separators:
            break
        at += 1
    if quoted:
        raise Malformed("unbalanced quotes")
    return text[:at], text[at:]


def unescaped(text, special):
    return re.sub(r"\\([" + re.escape(special) + "])", r"\1", text)


def parse_value(text):
    if text.startswith('"'):
        if len(text) < 2 or not text.endswith('"'):
            raise Malformed("unbalanced quotes")
        return "string", unescaped(text[1:-1], '"\\')
    if INTEGER.match(text):
        return "integer", int(text[:-1])
    if FLOAT.match(text):
        return "float", float(text)
    if text in ("true", "false"):
        return "boolean", text == "true"
    raise Malformed("invalid value")


def parse_line(line):
    """(measurement, tags, fields with types, time) of one line."""
    measurement, rest = split(line, ", ")
    if not measurement:
        raise Malformed("missing measurement")
    tags, fields = {}, {}
    while rest.startswith(","):
        key, rest = split(rest[1:], "=, ")
        if not rest.startswith("=") or not key:
            raise Malformed("missing tag value")
        value, rest = split(rest[1:], ", ")
        if not value or value.endswith("\\") or "\n" in value:
            raise Malformed("missing tag value")
        tags[unescaped(key, ",= ")] = unescaped(value, ",= ")
    while rest.startswith(" " if not fields else ","):
        key, rest = split(rest[1:], "=, ")
        if not rest.startswith("=") or not key:
            raise Malformed("missing field key")
        value, rest = split(rest[1:], ", ", in_quotes=True)
        fields[unescaped(key, ",= ")] = parse_value(value)
    if not fields:
        raise Malformed("missing fields")
    time = rest[1:]
    if not re.fullmatch(r"-?\d+", time):
        raise Malformed("bad timestamp")
    return unescaped(measurement, ", "), tags, fields, int(time)


def lines_of(body):
    """Lines of a body; a line break inside of a field's quotes belongs to the text."""
    text = body.decode()
    while text:
        key, rest = split(text, " ")
        fields, rest = split(rest, "\n", in_quotes=True)
        if key + fields:
            yield key + fields
        text = rest[1:]


class InfluxWrites:
    def __init__(self, token="tok", org="works", bucket="plant"):
        self.token, self.org, self.bucket = token, org, bucket
        self.points, self.types, self.lock = {}, {}, threading.Lock()

    def __call__(self, request):
        path, _, query = request.path.partition("?")
        asked = dict(urllib.parse.parse_qsl(query))
        if path != "/api/v2/write":
            return 404, json.dumps({"code": "not found", "message": "path not found"})
        if request.headers.get("authorization") != f"Token {self.token}":
            return 401, json.dumps({"code": "unauthorized", "message": "unauthorized access"})
        if (asked.get("org"), asked.get("bucket")) != (self.org, self.bucket):
            return 404, json.dumps({"code": "not found", "message": f"bucket {asked.get('bucket')!r} not found"})
        assert asked["precision"] == "ms"
        if not request.body:
            return 400, json.dumps({"code": "invalid", "message": "writing requires points"})
        try:
            points = [parse_line(line) for line in lines_of(request.body)]
        except Malformed as problem:
            message = f"unable to parse '{request.body[:40]!r}': {problem}"
            return 400, json.dumps({"code": "invalid", "message": message})
        refused = 0
        with self.lock:
            for measurement, tags, fields, time in points:
                known = [self.types.get((measurement, name), kind) for name, (kind, _) in fields.items()]
                if known != [kind for kind, _ in fields.values()]:
                    refused += 1
                    continue
                for name, (kind, _) in fields.items():
                    self.types[measurement, name] = kind
                series = (measurement, tuple(sorted(tags.items())))
                self.points.setdefault((series, time), {}).update({n: v for n, (_, v) in fields.items()})
        if refused:
            message = f"partial write: field type conflict: input field on measurement dropped={refused}"
            return 400, json.dumps({"code": "invalid", "message": message})
        return 204, ""
