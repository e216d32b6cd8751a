"""What the tests of the commands share: configurations that need no broker, and a replay of one."""

from lake_kit import agent, sensors
from weir_kit import free_port, weir


def unconnected(**keys):
    """A configuration without a broker, for commands that need none."""

    class Nowhere:
        url = "mqtt://127.0.0.1:1"

    return agent().replace("@HTTP@", f"127.0.0.1:{free_port()}") + sensors(Nowhere, **keys)


def write(folder, text, name="weir.toml"):
    path = folder / name
    path.write_text(text)
    return path


def replay(folder, text, *arguments, stdin=None, environment=None):
    return weir("replay", write(folder, text), *arguments, stdin=stdin, environment=environment, cwd=folder)
