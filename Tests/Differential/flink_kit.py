"""A Flink of our own for tests: fetched from PyPI once, run in one JVM with a bounded heap."""

import json
import os
import pathlib
import subprocess
import sys
import zipfile

HERE = pathlib.Path(__file__).parent
PACKAGE = "apache-flink-libraries==2.3.0"
HEAP_MEGABYTES = 1400


def home():
    """Where Flink's libraries are; they are fetched if they are not there (330 MB)."""
    folder = pathlib.Path(os.environ.get("FLINK_HOME", HERE.parent.parent / ".build" / "flink"))
    if not (folder / "pyflink" / "lib").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        print(f"fetching {PACKAGE} into {folder}", file=sys.stderr)
        download = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, PACKAGE]
        subprocess.run(download, check=True)
        wheel = next(folder.glob("*.whl"))
        zipfile.ZipFile(wheel).extractall(folder)
        wheel.unlink()
    return folder


def run(scripts, work):
    """Runs scripts, paths in order; returns {path: what the runner says of it}."""
    jars = os.pathsep.join(str(jar) for jar in sorted((home() / "pyflink" / "lib").glob("*.jar")))
    classes = work / "classes"
    classes.mkdir(exist_ok=True)
    subprocess.run(
        ["javac", "-nowarn", "-cp", jars, "-d", classes, HERE / "FlinkScripts.java"], check=True)
    listing, results = work / "scripts.txt", work / "flink.ndjson"
    listing.write_text("".join(f"{path}\n" for path in scripts))
    opened = ["java.base/java.util", "java.base/java.lang", "java.base/java.time", "java.base/java.nio"]
    subprocess.run(
        ["java", f"-Xmx{HEAP_MEGABYTES}m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
        + [f"--add-opens={package}=ALL-UNNAMED" for package in opened]
        + [f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}", f"-Djava.io.tmpdir={work}"]
        + ["-cp", f"{classes}{os.pathsep}{jars}", "FlinkScripts", str(listing), str(results)],
        check=True, stdout=subprocess.DEVNULL)
    said = [json.loads(line) for line in results.read_text().splitlines()]
    return {entry["script"]: entry for entry in said}


def rows(folder):
    """The rows that a filesystem sink has committed."""
    found = []
    for part in sorted(folder.rglob("part-*")) if folder.is_dir() else []:
        found += [json.loads(line) for line in part.read_text(encoding="utf-8").splitlines()]
    return found
