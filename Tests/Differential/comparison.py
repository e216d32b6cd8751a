"""Whether two engines' rows are the same, as multisets: instants as instants, doubles to nine digits."""

import collections
import datetime
import json
import re

TIMES = re.compile(r"^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d+)?(Z|\+00:00)?$")


def value(found, kind):
    """`found` in a form in which equal values are equal."""
    if found is None:
        return None
    if isinstance(found, list):
        inner = re.match(r"(?:ARRAY|MULTISET)<(.*)>$", kind)
        return tuple(value(element, inner[1] if inner else "") for element in found)
    if isinstance(found, dict):
        return tuple(sorted((name, value(inner, "")) for name, inner in found.items()))
    if kind.startswith("TIMESTAMP") and isinstance(found, str):
        match = TIMES.match(found)
        if match:
            moment = datetime.datetime.fromisoformat(f"{match[1]}T{match[2]}+00:00")
            fraction = int(((match[3] or ".0")[1:] + "000")[:3])
            return int(moment.timestamp()) * 1000 + fraction
    if isinstance(found, bool) or isinstance(found, str):
        return found
    if kind in ("DOUBLE", "FLOAT") or isinstance(found, float):
        return f"{float(found):.9g}"
    return str(found)


def plain(kind):
    """A type's name without what two engines may say differently of one type."""
    kind = re.sub(r"\s*NOT NULL", "", kind).replace("`", "")
    kind = re.sub(r"\s*\*(ROWTIME|PROCTIME)\*", "", kind)
    kind = re.sub(r"(VAR)?CHAR\(\d+\)", "STRING", kind)
    kind = re.sub(r"(VAR)?BINARY\(\d+\)", "BYTES", kind)
    return kind.replace("VARCHAR", "STRING").replace("CHAR ", "STRING ")


def differences(weir, flink, kinds):
    """What differs, one short sentence each."""
    def keyed(rows):
        return collections.Counter(
            tuple(value(row.get(name), kind) for name, kind in kinds.items()) for row in rows)

    ours, theirs = keyed(weir), keyed(flink)
    names = list(kinds)
    said = []
    for label, rest in (("only weir", ours - theirs), ("only Flink", theirs - ours)):
        for row in list(rest.elements())[:3]:
            said.append(f"{label}: {json.dumps(dict(zip(names, row)), default=str)}")
        if sum(rest.values()) > 3:
            said.append(f"{label}: {sum(rest.values()) - 3} more rows")
    return said
