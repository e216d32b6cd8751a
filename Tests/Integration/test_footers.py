"""Parquet footers against pyarrow, a small part of what Tests/Parquet/footers.py does."""

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import thrift_kit
from footer_kit import Pyarrow, complaint, require_footer, run_weir
from parquet_kit import run_cases


@pytest.mark.parametrize("encodings", ["delta", "plain"])
def test_every_field_is_as_the_rows_are(tmp_path, encodings):
    for _, path in run_cases(tmp_path, range(10), encodings=encodings, rows_max=2000).values():
        require_footer(path)


def test_chunks_of_many_pages_and_many_groups(tmp_path):
    """Pages end at 20,000 rows, groups at 1 MB."""
    from test_parquet import replayed

    rows = ({"n": n, "t": f"{n * 7919 % 100_003:06}" * 3, "a": [n] * (n % 3)} for n in range(70_000))
    path, = replayed(
        tmp_path, 'n = "BIGINT", t = "STRING", a = "ARRAY<BIGINT>"', rows, 'parquet.row_group_size = "1MB"')
    assert require_footer(path) == 70_000 and pq.ParquetFile(path).metadata.num_row_groups > 1


def test_changed_footers_are_read_as_pyarrow_reads_them_or_refused(tmp_path):
    files = [Path(path).read_bytes() for _, path in run_cases(tmp_path, range(20, 26)).values()]
    pyarrow, path, tally = Pyarrow(), tmp_path / "mutant.parquet", {}
    for number in range(150):
        rng = random.Random(number)
        path.write_bytes(thrift_kit.mutated(rng, rng.choice(files)))
        assert complaint(str(path), pyarrow, tally) is None, number
    pyarrow.stop()
    assert tally["read by weir, read by pyarrow"] > 20 and tally["refused by weir, refused by pyarrow"] > 20


def with_footer(path, change):
    """Writes the file again with a footer that `change` has changed."""
    data = Path(path).read_bytes()
    size = int.from_bytes(data[-8:-4], "little")
    tree = thrift_kit.Reader(data[len(data) - 8 - size : -8]).structure()
    change(tree)
    footer = thrift_kit.written(tree)
    Path(path).write_bytes(data[: len(data) - 8 - size] + footer + len(footer).to_bytes(4, "little") + data[-4:])
    return run_weir(str(path))


def column_field(tree, number):
    """A field of the first column's node."""
    return next(field for field in next(f for f in tree if f[0] == 2)[2][1][1] if field[0] == number)


def test_what_the_fuzz_has_found_stays_mended(tmp_path):
    path = tmp_path / "f.parquet"

    def write(values, type):
        pq.write_table(pa.table({"a": pa.array(values, type)}), path, store_schema=False)

    # Row groups that come twice count once; a number of rows that is not theirs is refused.
    write([1, 2], pa.int32())
    code, output, _, _ = with_footer(path, lambda tree: tree.extend(f for f in list(tree) if f[0] == 4))
    assert code == 0 and output == b'{"a":1}\n{"a":2}\n'
    code, _, errors, _ = with_footer(path, lambda tree: next(f for f in tree if f[0] == 3).__setitem__(2, 3))
    assert code == 66 and b"it is said to have 3 rows, and its row groups have 2" in errors
    # A number outside of its type is refused.
    write([-1, 300], pa.int16())
    code, _, errors, _ = with_footer(
        path, lambda tree: column_field(tree, 10).__setitem__(2, [[10, 12, [[1, 3, 8], [2, 1, True]]]]))
    assert code == 66 and b"outside of its type" in errors
    # A newer annotation that weir does not know leaves no say to the older one.
    write(["x"], pa.string())
    code, output, _, _ = with_footer(path, lambda tree: column_field(tree, 10).__setitem__(2, [[99, 12, []]]))
    assert code == 0 and output == b'{"a":"eA=="}\n'
