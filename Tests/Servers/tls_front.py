"""TLS before a server that has none, with a certificate of choice, for HTTP and MQTT alike.

    tls_front.py --upstream PORT --cert PEM --key PEM

It prints its address, and shows the certificate that is in the files at the time of each connection. Tests in
Python use the class. Standard library only.
"""

import argparse
import asyncio
import os
import ssl
import threading
import time


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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--upstream", type=int, required=True)
    parser.add_argument("--cert", required=True)
    parser.add_argument("--key", required=True)
    options = parser.parse_args()
    front = TLSFront(options.upstream, (options.cert, options.key))
    print(f"https://127.0.0.1:{front.port}", flush=True)
    # It must not outlive the tests, however they end.
    parent, shown = os.getppid(), os.stat(options.cert).st_mtime_ns
    while os.getppid() == parent:
        time.sleep(0.05)
        if os.stat(options.cert).st_mtime_ns != shown:
            time.sleep(0.1)  # both files are written
            shown = os.stat(options.cert).st_mtime_ns
            front.use((options.cert, options.key))


if __name__ == "__main__":
    main()
