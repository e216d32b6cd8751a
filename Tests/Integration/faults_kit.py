"""What is put between weir and a server, or under weir's feet: TLS with a certificate of choice, a clock that can
be set, and a disk that is soon full."""

import asyncio
import os
import shutil
import ssl
import subprocess
import threading
from contextlib import contextmanager

import pytest

from servers_kit import SCRIPTS

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


class TLSFront:
    """Speaks TLS on a port and passes the bytes to another, for HTTP and MQTT alike."""

    def __init__(self, upstream, certificate):
        self.upstream = upstream
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.use(certificate)
        self.loop = asyncio.new_event_loop()
        self.started = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        assert self.started.wait(10)

    def use(self, certificate):
        """Shows this certificate from the next connection on."""
        self.context.load_cert_chain(*certificate)

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    def _run(self):
        asyncio.set_event_loop(self.loop)
        # A client that refuses the certificate is what is tested, and no news.
        self.loop.set_exception_handler(lambda *_: None)
        starting = asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.context)
        server = self.loop.run_until_complete(starting)
        self.port = server.sockets[0].getsockname()[1]
        self.started.set()
        self.loop.run_forever()
        server.close()
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))

    async def _serve(self, reader, writer):
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self.upstream)

        async def copy(source, target):
            try:
                while data := await source.read(65536):
                    target.write(data)
                    await target.drain()
            except (ConnectionError, ssl.SSLError):
                pass
            finally:
                target.close()

        await asyncio.gather(copy(reader, to_writer), copy(to_reader, writer))


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
