#!/usr/bin/env python3
"""Random scalar expressions, computed by weir and by SQLite (Python's own) over the same rows.

    scalar_sqlite.py --weir BIN [--count 20000] [--seed N]

Only what both define alike is generated: 64-bit arithmetic, texts in ASCII, three-valued logic. The seed is
printed; the same seed gives the same expressions. Exit code 1 and the expressions if any value differs."""
import argparse, json, pathlib, random, sqlite3, subprocess, sys, tempfile

WORDS = ["", "a", "Abc", "b-1", "xyz xyz", " pad ", "A", "bc", "0", "zz9"]
CONFIG = """[agent]
id = "differential"
state_dir = "unused"
[[source]]
name = "s"
type = "file"
path = "s.ndjson"
[source.columns]
n = "BIGINT"
a = "BIGINT"
b = "BIGINT"
s = "STRING"
t = "STRING"
[[query]]
name = "q"
sql = '''
SELECT n, {items} FROM s
'''
"""


class Generator:
    """Pairs of texts: Flink SQL's and SQLite's."""

    def __init__(self, rng):
        self.rng = rng

    def same(self, form, *parts):
        return form.format(*[p[0] for p in parts]), form.format(*[p[1] for p in parts])

    def number(self, depth):
        r = self.rng
        if depth == 0:
            value = r.randint(-9, 99)
            return r.choice([("a", "a"), ("b", "b"), (f"CAST({value} AS BIGINT)", f"({value})")])
        x, y = (lambda: self.number(depth - 1)), (lambda: self.text(depth - 1))
        kind = r.randrange(11)
        if kind < 3:
            return self.same("({} " + "+-*"[kind] + " {})", x(), x())
        if kind == 3:
            return self.same("ABS({})", x())
        if kind == 4:
            return self.same("NULLIF({}, {})", x(), x())
        if kind == 5:
            return self.same("COALESCE({}, {})", x(), x())
        if kind == 6:
            return self.same("CASE WHEN {} THEN {} ELSE {} END", self.test(depth - 1), x(), x())
        if kind == 7:
            p, q = x(), x()
            name = r.choice([("GREATEST", "MAX"), ("LEAST", "MIN")])
            return f"{name[0]}({p[0]}, {q[0]})", f"{name[1]}({p[1]}, {q[1]})"
        if kind == 8:
            p = y()
            return f"CAST(CHAR_LENGTH({p[0]}) AS BIGINT)", f"LENGTH({p[1]})"
        if kind == 9:
            p, word = y(), r.choice(WORDS[1:])
            return f"CAST(INSTR({p[0]}, '{word}') AS BIGINT)", f"INSTR({p[1]}, '{word}')"
        return self.same("({} % " + str(r.randint(2, 9)) + ")", x())

    def text(self, depth):
        r = self.rng
        if depth == 0:
            word = r.choice(WORDS)
            return r.choice([("s", "s"), ("t", "t"), (f"'{word}'", f"'{word}'")])
        x = lambda: self.text(depth - 1)
        kind = r.randrange(9)
        if kind < 5:
            return self.same(["UPPER", "LOWER", "TRIM", "LTRIM", "RTRIM"][kind] + "({})", x())
        if kind == 5:
            return self.same("({} || {})", x(), x())
        if kind == 6:
            return self.same("SUBSTR({}, " + f"{r.randint(1, 5)}, {r.randint(0, 4)})", x())
        if kind == 7:
            return self.same("REPLACE({}, '" + r.choice(WORDS[1:]) + "', {})", x(), x())
        p = x()
        return r.choice([
            self.same("CASE WHEN {} THEN {} END", self.test(depth - 1), x()),
            self.same("COALESCE({}, {})", x(), x()),
            # SQLite's HEX makes an empty text of NULL.
            (f"HEX({p[0]})", f"CASE WHEN {p[1]} IS NOT NULL THEN HEX({p[1]}) END")])

    def test(self, depth):
        r = self.rng
        value = r.choice([self.number, self.text])
        x = lambda: value(max(depth - 1, 0))
        kind = r.randrange(8) if depth else r.randrange(4)
        if kind == 0:
            return self.same("({} " + r.choice(["=", "<>", "<", "<=", ">", ">="]) + " {})", x(), x())
        if kind == 1:
            return self.same("({} IS " + r.choice(["", "NOT "]) + "NULL)", x())
        if kind == 2:
            return self.same("({} " + r.choice(["", "NOT "]) + "BETWEEN {} AND {})", x(), x(), x())
        if kind == 3:
            pattern = r.choice(["a%", "%b%", "_", "%", "x_z%", "%1"])
            return self.same("({} " + r.choice(["", "NOT "]) + f"LIKE '{pattern}')", self.text(max(depth - 1, 0)))
        if kind == 4:
            return self.same("({} IN ({}, {}))", x(), x(), x())
        if kind == 5:
            return self.same("(NOT {})", self.test(depth - 1))
        return self.same("({} " + r.choice(["AND", "OR"]) + " {})", self.test(depth - 1), self.test(depth - 1))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--weir", required=True)
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    options = parser.parse_args()
    rng = random.Random(options.seed)
    print(f"seed {options.seed}")
    pick = lambda values: None if rng.random() < 0.15 else rng.choice(values)
    rows = [{"n": n, "a": pick(range(-20, 99)), "b": pick(range(-20, 99)), "s": pick(WORDS), "t": pick(WORDS)}
            for n in range(12)]
    database = sqlite3.connect(":memory:")
    database.execute("PRAGMA case_sensitive_like = ON")
    database.execute("CREATE TABLE s (n INTEGER, a INTEGER, b INTEGER, s TEXT, t TEXT)")
    database.executemany("INSERT INTO s VALUES (:n, :a, :b, :s, :t)", rows)
    generator, done, wrong = Generator(rng), 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        data = folder / "s.ndjson"
        data.write_text("".join(json.dumps(row) + "\n" for row in rows))
        while done < options.count:
            makers = [generator.number, generator.text, generator.test]
            pairs = [rng.choice(makers)(rng.randint(1, 3)) for _ in range(min(250, options.count - done))]
            (folder / "c.toml").write_text(
                CONFIG.format(items=",\n".join(f"{p[0]} AS r{i}" for i, p in enumerate(pairs))))
            run = subprocess.run(
                [options.weir, "replay", str(folder / "c.toml"), "--input", f"s={data}", "--output", "-", "--quiet"],
                capture_output=True, text=True)
            if run.returncode != 0:
                sys.exit(run.stderr)
            found = {row["n"]: row for row in map(json.loads, run.stdout.splitlines())}
            for i, pair in enumerate(pairs):
                for n, value in database.execute(f"SELECT n, {pair[1]} FROM s"):
                    ours = found[n][f"r{i}"]
                    if ours != value:
                        wrong += 1
                        print(f"{pair[0]}\n  of {rows[n]}: weir {ours!r}, SQLite {value!r}")
                        break
            done += len(pairs)
    print(f"{done} expressions over {len(rows)} rows, {wrong} differ")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
