"""Random schemas and rows through `weir replay` into Parquet, read back and compared.

The truth is the NDJSON that the same run writes to a second sink: same query, same rows, same order. What
pyarrow says of a file's statistics is held against the rows themselves.
"""

import base64
import datetime
import decimal
import glob
import json
import random
import struct

import pyarrow as pa
import pyarrow.parquet as pq

from weir_kit import weir

EPOCH = datetime.datetime(1970, 1, 1)
LETTERS = 'ab"\\\n é東😀\x7f'

SINKS = """
[[sink]]
name = "lines"
type = "file"
url = "file:./lines"
format = "ndjson"
[[sink]]
name = "lake"
type = "file"
url = "file:./lake"
format = "parquet"
compression = "{compression}"
parquet.encodings = "{encodings}"
parquet.row_group_size = "1MB"
{keys}
"""


def scalar_types(rng):
    precision = rng.randint(1, 38)
    return rng.choice([
        "BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "STRING", "BYTES", "DATE", "TIME",
        "TIMESTAMP(3)", "TIMESTAMP_LTZ(3)", f"DECIMAL({precision}, {rng.randint(0, precision)})",
        "ARRAY<STRING>", "ARRAY<BIGINT>", "ARRAY<DOUBLE>", "ARRAY<TIMESTAMP_LTZ(3)>",
    ])


def column(type):
    """A column's declaration in TOML."""
    return f'{{ type = "{type}", from = "rfc3339" }}' if "LTZ" in type else f'"{type}"'


class Maker:
    """Values of a type, in one of several habits: few distinct ones, growing ones, any."""

    def __init__(self, type, rng):
        self.type, self.rng = type, rng
        self.nulls = rng.choice([0, 0, 0.1, 0.9, 1])
        self.habit = rng.choice(["any", "few", "growing"])
        self.seen, self.last = [], rng.randint(-(10**6), 10**6)

    def __call__(self):
        if self.rng.random() < self.nulls:
            return None
        if self.habit == "few" and len(self.seen) > 5:
            return self.rng.choice(self.seen)
        self.seen.append(self.value(self.type))
        return self.seen[-1]

    def whole(self, bits):
        if self.habit == "growing":
            self.last = min(self.last + self.rng.randint(0, 9), 2 ** (bits - 1) - 1)
            return max(self.last, -(2 ** (bits - 1)))
        size = self.rng.randint(1, bits - 1)
        return self.rng.randint(-(2**size), 2**size - 1)

    def value(self, type):
        rng = self.rng
        if type.startswith("ARRAY<"):
            element = type[6:-1]
            return [None if rng.random() < 0.2 else self.value(element) for _ in range(rng.choice([0, 1, 2, 7]))]
        if type.startswith("DECIMAL"):
            precision, scale = map(int, type[8:-1].split(","))
            digits = rng.randint(-(10**precision) + 1, 10**precision - 1)
            return str(decimal.Decimal(digits).scaleb(-scale, decimal.Context(prec=60)).__format__("f"))
        milliseconds = rng.randint(-60_000_000_000_000, 250_000_000_000_000)
        moment = EPOCH + datetime.timedelta(milliseconds=milliseconds)
        iso = moment.isoformat(timespec="milliseconds")
        return {
            "BOOLEAN": lambda: rng.random() < 0.5,
            "TINYINT": lambda: self.whole(8),
            "SMALLINT": lambda: self.whole(16),
            "INT": lambda: self.whole(32),
            "BIGINT": lambda: self.whole(64),
            "FLOAT": lambda: struct.unpack("f", struct.pack("f", rng.uniform(-1e6, 1e6)))[0],
            "DOUBLE": lambda: rng.choice([0.0, -0.0, round(rng.uniform(-100, 100), 2), rng.uniform(-1e300, 1e300)]),
            "STRING": lambda: "".join(rng.choice(LETTERS) for _ in range(rng.choice([0, 1, 5, 70, 200]))),
            "BYTES": lambda: base64.b64encode(rng.randbytes(rng.choice([0, 3, 80]))).decode(),
            "DATE": lambda: iso[:10],
            "TIME": lambda: iso[11:],
            "TIMESTAMP(3)": lambda: iso,
            "TIMESTAMP_LTZ(3)": lambda: iso + "Z",
        }[type]()


def random_case(seed, rows_max=400):
    """A configuration's sources and queries, and the rows of each source."""
    rng = random.Random(seed)
    types = [scalar_types(rng) for _ in range(rng.randint(1, 12))]
    names = [f"c{index}" for index in range(len(types))]
    columns = ", ".join(f"{name} = {column(type)}" for name, type in zip(names, types))
    chosen = list(names)
    for index in range(rng.choice([0, 0, 1, 3])):
        some = [rng.choice(names) for _ in range(3)]
        same = types[names.index(some[0])]
        if not same.startswith("ARRAY"):
            chosen.append(rng.choice([
                f"ROW({some[0]}, {some[1]}, ROW({some[2]}))",
                f"MAP['k', {some[0]}, 'l', {some[0]}]",
                f"ARRAY[{some[0]}, {some[0]}]",
                f"ARRAY[ARRAY[{some[0]}], ARRAY[{some[0]}, {some[0]}]]",
                f"ARRAY[ROW({some[0]}, {some[1]})]",
            ]) + f" AS n{index}")
    if rng.random() < 0.3:
        chosen[0] += " AS `" + rng.choice(["größe", 'a"b', "x.y", "two words", "ligne/é東", "%41", "C" * 300]) + "`"
    makers = [Maker(type, rng) for type in types]
    rows = [
        {name: value for name, make in zip(names, makers) if (value := make()) is not None or rng.random() < 0.5}
        for _ in range(rng.choice([1, 2, 30, rows_max]))
    ]
    return columns, f"SELECT {', '.join(chosen)} FROM ", rows


def run_cases(folder, seeds, compression="zstd", encodings="delta", keys="", rows_max=400):
    """Runs one configuration with a query for each seed; {name: (NDJSON rows, path of the Parquet file)}."""
    text = '[agent]\nid = "edge-1"\nstate_dir = "unused"\n'
    for seed in seeds:
        columns, select, rows = random_case(seed, rows_max)
        text += (
            f'[[source]]\nname = "s{seed}"\ntype = "file"\npath = "s{seed}.ndjson"\ncolumns = {{ {columns} }}\n'
            f'[[query]]\nname = "q{seed}"\nsql = """{select} s{seed}"""\nsinks = ["lines", "lake"]\n'
        )
        (folder / f"s{seed}.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "c.toml").write_text(text + SINKS.format(compression=compression, encodings=encodings, keys=keys))
    done = weir("replay", "c.toml", "--quiet", cwd=folder)
    assert done.returncode == 0, done.stderr
    found = {}
    for seed in seeds:
        lines = "".join(open(path).read() for path in objects(folder, "lines", f"q{seed}"))
        files = objects(folder, "lake", f"q{seed}")
        assert len(files) == 1, files
        found[f"q{seed}"] = ([json.loads(line, parse_float=str) for line in lines.splitlines()], files[0])
    return found


def objects(folder, sink, query):
    return sorted(glob.glob(f"{folder}/{sink}/{query}/date=*/hour=*/edge-1-*"))


def as_line(value, type):
    """A value that pyarrow read as NDJSON has it, numbers with a point as text."""
    if value is None:
        return None
    if pa.types.is_list(type):
        return [as_line(element, type.value_type) for element in value]
    if pa.types.is_map(type):
        return {key: as_line(element, type.item_type) for key, element in value}
    if pa.types.is_struct(type):
        return {field.name: as_line(value[field.name], field.type) for field in type}
    if pa.types.is_timestamp(type):
        assert type.unit == "ms"
        return value.replace(tzinfo=None).isoformat(timespec="milliseconds") + ("Z" if type.tz else "")
    if pa.types.is_date(type):
        return value.isoformat()
    if pa.types.is_time(type):
        assert type.unit == "ms"
        text = value.isoformat()
        return text.rstrip("0").rstrip(".") if "." in text else text
    if pa.types.is_binary(type):
        return base64.b64encode(value).decode()
    return value


def normal(value, type):
    """Numbers as numbers: an NDJSON value and one of `as_line` are then equal if they are the same."""
    if value is None:
        return None
    if pa.types.is_list(type):
        return [normal(element, type.value_type) for element in value]
    if pa.types.is_map(type):
        return {key: normal(element, type.item_type) for key, element in value.items()}
    if pa.types.is_struct(type):
        return {field.name: normal(value[field.name], field.type) for field in type}
    if pa.types.is_float32(type):
        return struct.pack("f", float(value))
    if pa.types.is_float64(type):
        return struct.pack("d", float(value))
    if pa.types.is_decimal(type):
        return decimal.Decimal(value)
    return value


def require_equal(lines, path):
    """The file holds the rows, and its metadata says nothing false of them."""
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        table = file.read()
        require_statistics(file, table)
    assert table.num_rows == len(lines)
    for field in table.schema:
        values = table.column(field.name).to_pylist()
        for row, (value, line) in enumerate(zip(values, lines)):
            left, right = normal(as_line(value, field.type), field.type), normal(line[field.name], field.type)
            assert left == right, f"{path}: row {row} of {field}: {left!r} is not {right!r}"
    return table


def leaves(table):
    """The values of each top-level column of single values, by the leaf's path."""
    return {
        field.name: table.column(field.name) for field in table.schema
        if not (pa.types.is_nested(field.type) or pa.types.is_map(field.type))
    }


def require_statistics(file, table):
    """Bounds and counts of NULLs of each chunk are those of its rows."""
    import pyarrow.compute as pc

    start, columns = 0, leaves(table)
    metadata = file.metadata
    assert metadata.created_by.startswith("weir version ")
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group)
        for index in range(rows.num_columns):
            chunk = rows.column(index)
            assert chunk.has_offset_index
            if chunk.path_in_schema not in columns:
                continue
            values = columns[chunk.path_in_schema].slice(start, rows.num_rows)
            assert chunk.num_values == len(values) and chunk.statistics.null_count == values.null_count
            present = values.drop_null()
            if not chunk.statistics.has_min_max:
                # None at all, only NaN, or a long text that nothing short is above.
                assert len(present) == 0 or not pa.types.is_integer(values.type), chunk
                continue
            if pa.types.is_decimal(values.type):
                require_decimal_bounds(chunk.statistics, present, values.type)
                continue
            least, greatest = chunk.statistics.min, chunk.statistics.max
            if pa.types.is_binary(values.type) or pa.types.is_string(values.type):
                raw = [v.encode() if isinstance(v, str) else v for v in present.to_pylist()]
                low, high = (v.encode() if isinstance(v, str) else v for v in (least, greatest))
                assert low <= min(raw) and max(raw) <= high and len(low) <= 64 and len(high) <= 67
                assert chunk.statistics.is_min_value_exact == (low == min(raw)) if hasattr(
                    chunk.statistics, "is_min_value_exact") else True
            else:
                found = pc.min_max(present).as_py()
                assert least == found["min"] and greatest == found["max"], f"{chunk.path_in_schema}: {found}"
        start += rows.num_rows


def require_decimal_bounds(statistics, present, type):
    """pyarrow gives a decimal's bounds as they are stored only."""
    for raw, bound in ((statistics.min_raw, min), (statistics.max_raw, max)):
        units = raw if isinstance(raw, int) else int.from_bytes(raw, "big", signed=True)
        value = decimal.Decimal(units).scaleb(-type.scale, decimal.Context(prec=60))
        assert value == bound(present.to_pylist()), f"{value} of {type}"
