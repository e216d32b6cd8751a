"""What is put between weir and a server, or under weir's feet: TLS with a certificate of choice, a clock that can
be set, a disk that is soon full, and folders that even root may not write to."""

import os
import shutil
import subprocess
from contextlib import contextmanager

import pytest

from servers_kit import SCRIPTS
from tls_front import TLSFront  # noqa: F401

needs_mount = pytest.mark.skipif(
    subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode != 0,
    reason="mounting a small file system needs root",
)


@contextmanager
def small_disk(folder, size):
    """A file system of its own, of `size` ("200m"), at `folder`, which is made."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        # Lazily: what was killed a moment ago may not have let go of its files.
        subprocess.run(["umount", "-l", str(folder)], check=False)


def make_certificate(folder, name, subject):
    """A self-signed certificate for `subject` ("DNS:…" or "IP:…"): (certificate, key)."""
    cert, key = str(folder / f"{name}.pem"), str(folder / f"{name}.key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=weir-test", "-addext", f"subjectAltName={subject}", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )
    return cert, key


# A command that runs another to which permissions of files mean something, though it is root's.
BOUND_BY_PERMISSIONS = (
    ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-dac_override,-dac_read_search"]
    if os.geteuid() == 0 else []
)


class Clock:
    """The wall clock of a process, by Tests/Servers/set_clock.c: set while it runs."""

    def __init__(self, folder):
        self.file, library = folder / "clock", folder / "set_clock.so"
        source = os.path.join(SCRIPTS, "set_clock.c")
        compiler = shutil.which("clang") or shutil.which("cc")
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
        self.set(0)
        self.environment = {"LD_PRELOAD": str(library), "WEIR_TEST_CLOCK": str(self.file)}

    def set(self, seconds):
        """So many seconds ahead of the machine's (or behind it)."""
        with open(self.file, "r+b" if self.file.exists() else "wb") as file:
            file.write(seconds.to_bytes(8, "little", signed=True))
