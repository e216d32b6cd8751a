"""Power cuts: what a process had synced is all that is left of its folder. durable.c keeps the copies."""

import os
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))


class Power:
    """The power of the machine that weir runs on; its disk is one folder."""

    def __init__(self, folder, root, parts, disk_lies=False):
        """`parts`: the folders below `root` that are put back; what else is there is not weir's."""
        self.root, self.parts, self.store = root, parts, f"{folder}/durable"
        os.makedirs(self.store)
        library = f"{folder}/durable.so"
        compiler = shutil.which("clang") or shutil.which("cc")
        subprocess.run(
            [compiler, "-shared", "-fPIC", "-O1", "-pthread", "-o", library, f"{HERE}/durable.c"], check=True)
        self.environment = {
            "LD_PRELOAD": library, "WEIR_TEST_DURABLE_ROOT": root, "WEIR_TEST_DURABLE_STORE": self.store,
            **({"WEIR_TEST_DURABLE_LIES": "1"} if disk_lies else {}),
        }
        self.cuts = 0
        self.lost_bytes = 0

    def cut(self):
        """Leaves of the dead process's folders what it had synced."""
        if os.path.exists(f"{self.store}/begun"):  # else it died before it did anything
            self._put_back()
        shutil.rmtree(self.store)
        os.makedirs(self.store)

    def _put_back(self):
        status = os.stat(self.root)
        names = [
            name for name in os.listdir(self.store)
            if name.startswith(f"{status.st_ino}-") and not name.endswith(".new")
        ]
        entries = self._entries(names[0])
        for part in self.parts:
            before = size(f"{self.root}/{part}")
            shutil.rmtree(f"{self.root}/{part}", ignore_errors=True)
            if part in entries:
                self._put(f"{self.root}/{part}", *entries[part])
            self.lost_bytes += before - size(f"{self.root}/{part}")
        self.cuts += 1

    def _entries(self, copy):
        """Of a folder's copy: its names, each with whether it is a folder, and the name of its copy."""
        try:
            with open(f"{self.store}/{copy}", encoding="utf-8", errors="surrogateescape") as lines:
                found = [line.rstrip("\n").split(" ", 2) for line in lines]
        except FileNotFoundError:
            return {}  # never synced
        return {name: (kind == "d", copy) for kind, copy, name in found}

    def _put(self, path, is_folder, copy):
        if is_folder:
            os.makedirs(path)
            for name, entry in self._entries(copy).items():
                self._put(f"{path}/{name}", *entry)
        elif os.path.exists(f"{self.store}/{copy}"):
            shutil.copyfile(f"{self.store}/{copy}", path)
        else:
            open(path, "w").close()  # its name was synced, and no byte of it


def size(folder):
    return sum(
        os.path.getsize(os.path.join(place, name)) for place, _, names in os.walk(folder) for name in names)
