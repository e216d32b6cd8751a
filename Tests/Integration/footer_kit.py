"""Parquet footers of weir under test, in two ways: whole ones are held against the rows of their file, field by field;
changed ones are read by weir and by pyarrow, who must not differ where both take the file.

pyarrow may crash, hang or ask for all memory on such files, so it reads them in a process of its own, which is
started again when that happens.
"""

import base64
import datetime
import decimal
import json
import multiprocessing
import os
import resource
import signal
import struct
import subprocess
import sys
import tempfile

import pyarrow as pa
import pyarrow.parquet as pq

import thrift_kit
from weir_kit import WEIR

EPOCH = datetime.datetime(1970, 1, 1)
PYARROW_BYTES_MAX = 4 << 30
PYARROW_SECONDS_MAX = 20
WEIR_SECONDS_MAX = 60
"""What weir may take for a file of some kilobytes, whatever that says: little more than for any file."""
WEIR_BYTES_MAX = 300 << 20


# MARK: Whole footers


def shred(value, type):
    """The values and NULLs of each leaf, as Parquet counts them."""
    if pa.types.is_struct(type):
        return [leaf for i in range(type.num_fields)
                for leaf in shred(value and value[type.field(i).name], type.field(i).type)]
    if pa.types.is_map(type):
        types, items = [type.key_type, type.item_type], value
    elif pa.types.is_list(type):
        types, items = [type.value_type], value and [(item,) for item in value]
    else:
        return [[None if value is None else stored(value, type)]]
    if not items:
        return [leaf for inner in types for leaf in shred(None, inner)]
    rows = [[leaf for part, inner in zip(item, types) for leaf in shred(part, inner)] for item in items]
    return [sum((row[leaf] for row in rows), []) for leaf in range(len(rows[0]))]


def stored(value, type):
    """A value as it is compared in the file."""
    if pa.types.is_date(type):
        return (value - EPOCH.date()).days
    if pa.types.is_time(type):
        return ((value.hour * 60 + value.minute) * 60 + value.second) * 1000 + value.microsecond // 1000
    if pa.types.is_timestamp(type):
        return (value.replace(tzinfo=None) - EPOCH) // datetime.timedelta(milliseconds=1)
    if pa.types.is_decimal(type):
        return int(value.scaleb(type.scale, decimal.Context(prec=60)))
    return value.encode() if isinstance(value, str) else value


def bound(data, physical):
    """A bound's bytes as a value of the same kind."""
    if physical in (4, 5):
        return struct.unpack("<f" if physical == 4 else "<d", data)[0]
    if physical in (0, 1, 2):
        assert len(data) == (1, 4, 8)[physical]
        return data[0] == 1 if physical == 0 else int.from_bytes(data, "little", signed=True)
    return int.from_bytes(data, "big", signed=True) if physical == 7 else data


def require_bounds(least, greatest, values, physical, exact=None):
    """Bounds are those of the values; long texts may have others around them."""
    low, high = bound(least, physical), bound(greatest, physical)
    if physical == 6:
        assert min(values).startswith(low) and high >= max(values) and len(low) <= 64 and len(high) <= 67
    else:
        assert (low, high) == (min(values), max(values))
    if physical in (4, 5):
        assert low != 0 or str(low) == "-0.0"
        assert high != 0 or str(high) == "0.0"
    assert exact is None or exact == (low == min(values), high == max(values)), exact


def require_footer(path):
    """Every field of the footer and of the page indexes is what a reading of the rows and the pages gives."""
    data = open(path, "rb").read()
    file = thrift_kit.read(data[:-8], len(data) - 8 - struct.unpack("<I", data[-8:-4])[0], is_all=True)
    with pq.ParquetFile(path, page_checksum_verification=True) as reader:
        table, seen = reader.read(), reader.metadata
    assert file[1] == 2 and file[3] == table.num_rows == seen.num_rows
    assert {pair[1]: pair[2] for pair in file[5]} == seen.metadata and seen.metadata[b"weir.rows"] == b"%d" % file[3]
    assert file[6].decode() == seen.created_by and seen.created_by.startswith("weir version ") and len(file[7]) == seen.num_columns
    assert len(file[4]) == seen.num_row_groups
    row = 0
    rows = [sum((shred(value, f.type) for value, f in zip(values, table.schema)), [])
            for values in zip(*(column.to_pylist() for column in table.columns))]
    for number, group in enumerate(file[4]):
        part, chunks = rows[row : row + group[3]], [chunk[3] for chunk in group[1]]
        row += group[3]
        assert len(part) == group[3] == seen.row_group(number).num_rows and group[7] == number
        assert group[2] == sum(chunk[6] for chunk in chunks) == seen.row_group(number).total_byte_size
        assert group[6] == sum(chunk[7] for chunk in chunks)
        assert group[5] == min(chunk.get(11, chunk[9]) for chunk in chunks)
        for index, chunk in enumerate(group[1]):
            require_chunk(data, chunk, seen.row_group(number).column(index), [values[index] for values in part])
    assert row == len(rows)
    return len(rows)


def require_chunk(data, chunk, seen, rows):
    about, values = chunk[3], [value for row in rows for value in row]
    assert about[5] == len(values) == seen.num_values and b".".join(about[3]).decode() == seen.path_in_schema
    assert (about[6], about[7]) == (seen.total_uncompressed_size, seen.total_compressed_size)
    assert (about[9], about.get(11)) == (seen.data_page_offset, seen.dictionary_page_offset)
    assert chunk[2] == seen.file_offset == 0 and len(about[2]) == len(seen.encodings)
    present, statistics = [value for value in values if value is not None], about[12]
    assert statistics[3] == len(values) - len(present) == seen.statistics.null_count
    if 5 in statistics:
        require_bounds(statistics[6], statistics[5], present, about[1], (statistics[8], statistics[7]))
    else:
        assert not present or about[1] == 6
    pages = require_pages(data, chunk, about)
    places = thrift_kit.read(data[: chunk[4] + chunk[5]], chunk[4], is_all=True)[1]
    assert [(place[1], place[2]) for place in places] == [page[:2] for page in pages]
    ends = [place[3] for place in places[1:]] + [len(rows)]
    parts = [[v for row in rows[place[3] : end] for v in row] for place, end in zip(places, ends)]
    assert [len(part) for part in parts] == [page[2] for page in pages]
    if 6 in chunk:
        require_column_index(thrift_kit.read(data[: chunk[6] + chunk[7]], chunk[6], is_all=True), parts, about[1])
    else:
        assert about[1] == 6, "only texts can be without bounds"


def require_pages(data, chunk, about):
    """(place, length, values) of the chunk's data pages, which follow each other to its end."""
    position = start = about.get(11, about[9])
    pages, kinds, bytes = [], {}, 0
    while position < start + about[7]:
        reader = thrift_kit.Reader(data, position)
        header = thrift_kit.plain(reader.structure(), thrift_kit.STRUCT)
        head = header.get(5) or header.get(7) or header.get(8)
        bytes += reader.position - position + header[2]
        end = reader.position + header[3]
        if header[1] == 2:
            assert position == about[11]
        else:
            pages.append((position, end - position, head[1]))
        kind = (header[1], head[4] if header[1] == 3 else head[2])
        kinds[kind] = kinds.get(kind, 0) + 1
        position = end
    assert position == start + about[7] and bytes == about[6] and (not pages or pages[0][0] == about[9])
    assert {(item[1], item[2]): item[3] for item in about[13]} == kinds
    assert {encoding for _, encoding in kinds} <= set(about[2])
    return pages


def require_column_index(index, parts, physical):
    assert len(index[1]) == len(index[2]) == len(index[3]) == len(index[5]) == len(parts)
    lows, highs = [], []
    for is_null, least, greatest, nulls, part in zip(*(index[n] for n in (1, 2, 3, 5)), parts):
        present = [value for value in part if value is not None]
        assert nulls == len(part) - len(present) and is_null == (not present)
        if present:
            require_bounds(least, greatest, present, physical)
            lows.append(bound(least, physical))
            highs.append(bound(greatest, physical))
        else:
            assert least == greatest == b""
    assert index[4] == 0 or all(side == sorted(side, reverse=index[4] == 2) for side in (lows, highs))


# MARK: pyarrow's reading, in its own process


class Unlike(Exception):
    """What Python or weir has no form for."""


NAMES = {
    "bool": "BOOLEAN", "int8": "TINYINT", "int16": "SMALLINT", "int32": "INT", "int64": "BIGINT", "uint8": "SMALLINT",
    "uint16": "INT", "uint32": "BIGINT", "float": "FLOAT", "double": "DOUBLE", "string": "STRING", "binary": "BYTES",
    "date32[day]": "DATE",
}


def type_name(type):
    """weir's name of a type."""
    if pa.types.is_struct(type):
        return "ROW<" + ", ".join(f"{type.field(i).name} {type_name(type.field(i).type)}" for i in range(type.num_fields)) + ">"
    if pa.types.is_map(type):
        return f"MAP<{type_name(type.key_type)}, {type_name(type.item_type)}>"
    if pa.types.is_list(type):
        return f"ARRAY<{type_name(type.value_type)}>"
    if pa.types.is_decimal(type) and type.precision <= 38:
        return f"DECIMAL({type.precision}, {type.scale})"
    if pa.types.is_time(type):
        return "TIME"
    if pa.types.is_timestamp(type):
        return "TIMESTAMP_LTZ(3)" if type.tz else "TIMESTAMP(3)"
    if pa.types.is_fixed_size_binary(type):
        return "BYTES"
    if str(type) not in NAMES:
        raise Unlike(str(type))
    return NAMES[str(type)]


def line_of(value, type):
    """A value in the form that `line_form` gives weir's: rows and maps as lists of pairs, numbers as they are."""
    if value is None:
        return None
    if pa.types.is_struct(type):
        return [(type.field(i).name, line_of(value[type.field(i).name], type.field(i).type)) for i in range(type.num_fields)]
    if pa.types.is_map(type):
        return [(line_of(key, type.key_type), line_of(item, type.item_type)) for key, item in value]
    if pa.types.is_list(type):
        return [line_of(item, type.value_type) for item in value]
    if pa.types.is_timestamp(type):
        moment = value.replace(tzinfo=None, microsecond=value.microsecond // 1000 * 1000)
        return moment.isoformat(timespec="milliseconds") + ("Z" if type.tz else "")
    if pa.types.is_date(type):
        return value.isoformat()
    if pa.types.is_time(type):
        text = value.isoformat(timespec="milliseconds")
        return text.rstrip("0").rstrip(".")
    if pa.types.is_binary(type) or pa.types.is_fixed_size_binary(type):
        return base64.b64encode(value).decode()
    if pa.types.is_floating(type):
        return struct.pack("f" if pa.types.is_float32(type) else "d", value)
    return value


def line_form(value, type):
    """A value of weir's NDJSON, whose objects have been read as lists of pairs."""
    if value is None:
        return None
    if pa.types.is_struct(type):
        return [(name, line_form(item, type.field(i).type)) for i, (name, item) in enumerate(value)]
    if pa.types.is_map(type):
        return [(line_form(key, type.key_type), line_form(item, type.item_type)) for key, item in value]
    if pa.types.is_list(type):
        return [line_form(item, type.value_type) for item in value]
    if pa.types.is_floating(type):
        return struct.pack("f" if pa.types.is_float32(type) else "d", float(value))
    if pa.types.is_decimal(type):
        return decimal.Decimal(value)
    if pa.types.is_integer(type):
        return int(value)
    return value


def pyarrow_reading(path):
    """{"refused"} or {"schema", "rows"}; "unlike" where there is nothing to compare."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read(use_threads=False)
            kinds = {file.schema.column(i).logical_type.type for i in range(len(file.schema))}
    except Exception as error:
        return {"refused": f"{type(error).__name__}: {error}"}
    try:
        # These are texts to weir.
        if kinds & {"ENUM", "JSON"}:
            raise Unlike("ENUM")
        schema = "".join(f"{field.name} {type_name(field.type)}\n" for field in table.schema)
        columns = [[line_of(v, f.type) for v in table.column(i).to_pylist()] for i, f in enumerate(table.schema)]
    except (Unlike, ValueError, OverflowError, TypeError) as error:
        return {"unlike": f"{type(error).__name__}: {error}"}
    return {"schema": schema + f"rows: {table.num_rows}\n", "rows": columns, "types": table.schema.types, "count": table.num_rows}


def serve(pipe):
    resource.setrlimit(resource.RLIMIT_AS, (PYARROW_BYTES_MAX, PYARROW_BYTES_MAX))
    while path := pipe.recv():
        pipe.send(pyarrow_reading(path))


class Pyarrow:
    """pyarrow behind a wall."""

    def __init__(self):
        self.process, self.deaths = None, 0

    def __call__(self, path):
        if self.process is None:
            context = multiprocessing.get_context("spawn")
            self.pipe, other = context.Pipe()
            self.process = context.Process(target=serve, args=(other,), daemon=True)
            self.process.start()
            other.close()
        try:
            self.pipe.send(path)
            if self.pipe.poll(PYARROW_SECONDS_MAX):
                return self.pipe.recv()
        except (EOFError, OSError):
            pass
        self.deaths += 1
        self.stop()
        return {"refused": "it crashed or hung"}

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.join()
            self.process = None


# MARK: weir's reading


# Linux counts the memory of who starts a program as the program's own, so a small process starts it, not the tests' own.
MEASURED = """
import os, resource, sys
code = os.waitstatus_to_exitcode(os.waitpid(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ), 0)[1])
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024, file=open(3, "w"))
"""


def run_weir(*arguments):
    """(exit code, output, errors, most bytes of memory)."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as measures:
        process = subprocess.Popen(
            ["/bin/sh", "-c", 'exec "$@" 3>&0 </dev/null', "sh", sys.executable, "-I", "-S", "-c", MEASURED, WEIR, "parquet", *arguments],
            stdin=measures, stdout=output, stderr=errors, start_new_session=True)
        try:
            process.wait(WEIR_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return "hangs", b"", b"", 0
        for file in (output, errors, measures):
            file.seek(0)
        code, most = measures.read().split()
        return int(code), output.read(), errors.read(), int(most)


def complaint(path, pyarrow, tally):
    """What is wrong with the two readings of the file; None if nothing is."""
    code, output, errors, bytes = run_weir(path)
    tally["weir's greatest memory, MB"] = max(tally.get("weir's greatest memory, MB", 0), bytes >> 20)
    if bytes > WEIR_BYTES_MAX:
        return f"takes {bytes} bytes"
    other = pyarrow(path)
    result = "refused by weir" if code else "read by weir"
    result += ", refused by pyarrow" if "refused" in other else ", read by pyarrow"
    tally[result] = tally.get(result, 0) + 1
    if code:
        if code == 66 and errors.startswith(b"weir: reading ") and errors.count(b"\n") == 1:
            return None
        return f"exit {code}: {errors[-400:]}"
    described = run_weir(path, "--schema")
    if described[0]:
        return f"the rows are read and the schema is not: {described}"
    if "refused" in other:
        return None
    if "unlike" in other or b" (of a type that weir lacks)\n" in described[1]:
        tally["without comparison"] = tally.get("without comparison", 0) + 1
        return None
    schema = described[1].decode()
    if not schema.startswith(other["schema"]):
        return f"schema {schema!r} instead of {other['schema']!r}"
    rows = [json.loads(line, parse_float=str, object_pairs_hook=list) for line in output.splitlines()]
    if len(rows) != other["count"]:
        return f"{len(rows)} rows instead of {other['count']}"
    for number, row in enumerate(rows):
        for (name, value), column, type in zip(row, other["rows"], other["types"], strict=True):
            value = line_form(value, type)
            if value != column[number]:
                return f"row {number} of {name} {type}: {value!r} instead of {column[number]!r}"
    return None
