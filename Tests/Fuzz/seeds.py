"""seeds.py FOLDER: writes the queries of the case files, one a file, for the fuzzer to start from."""

import pathlib
import re
import sys

tests = pathlib.Path(__file__).resolve().parent.parent
folder = pathlib.Path(sys.argv[1])
queries = []
for case in sorted((tests / "Cases").glob("*.case")):
    queries += re.findall(r'sql = """\n(.*?)"""', case.read_text(), re.S)
for wrong in sorted((tests / "WeirSQLTests" / "Cases" / "errors").glob("*.txt")):
    for paragraph in wrong.read_text().split("\n\n"):
        lines = [line for line in paragraph.splitlines() if not line.startswith(("!", "#"))]
        queries.append("\n".join(lines))
for number, query in enumerate(filter(str.strip, queries)):
    (folder / f"{number:04}.sql").write_text(query)
