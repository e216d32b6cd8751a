"""A receiver of webhooks that misbehaves on demand, and remembers what it has taken.

Runs on a thread of the test, on a loopback port. `rules` are used up in order, one a request that matches:

    {"status": 503, "headers": {"Retry-After": "1"}, "times": 2}   answered so; the rows are not taken
    {"fault": "drop_reply", "times": 3}     the rows are taken, and the connection is closed without an answer
    {"fault": "slow", "seconds": 2}         taken and answered late
    {"fault": "stall", "seconds": 5}        read, and not answered for so long

`accept` may decide by the body: it returns a status and a text. Standard library only.
"""

import asyncio
import email.utils
import gzip
import threading


class Request:
    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.raw = method, path, headers, body
        packed = headers.get("content-encoding") == "gzip"
        self.body = gzip.decompress(body) if packed else body
        self.answer = None


class WebhookServer:
    def __init__(self, port=0, accept=None, tls=None):
        self.port, self.accept, self.tls = port, accept, tls
        self.requests, self.rules = [], []
        self.lock = threading.Lock()
        self.loop = asyncio.new_event_loop()
        self.started = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        assert self.started.wait(10)

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def taken(self):
        """Requests whose rows were taken, whether or not the answer left."""
        with self.lock:
            return [r for r in self.requests if r.answer is not None and 200 <= r.answer < 300]

    def all(self):
        with self.lock:
            return list(self.requests)

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    def _run(self):
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self.tls)
        )
        self.port = server.sockets[0].getsockname()[1]
        self.started.set()
        self.loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()

    async def _serve(self, reader, writer):
        try:
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _one(self, reader, writer):
        line = (await reader.readline()).decode().split()
        if len(line) < 2:
            return False
        headers = {}
        while (text := (await reader.readline()).decode().strip()):
            name, value = text.split(":", 1)
            headers[name.lower()] = value.strip()
        if headers.get("expect") == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        request = Request(line[0], line[1], headers, body)
        rule = self._next_rule()
        fault = rule.get("fault", "")
        if fault == "stall":
            with self.lock:
                self.requests.append(request)
            await asyncio.sleep(rule["seconds"])
            return False
        status, text = rule.get("status", 0), rule.get("body", "")
        if not status:
            status, text = self.accept(request) if self.accept else (200, "")
        with self.lock:
            request.answer = status
            self.requests.append(request)
        if fault == "drop_reply":
            return False
        if fault == "slow":
            await asyncio.sleep(rule["seconds"])
        extra = "".join(f"{name}: {value}\r\n" for name, value in rule.get("headers", {}).items())
        data = text.encode()
        extra += f"Date: {email.utils.formatdate(usegmt=True)}\r\n"
        writer.write(f"HTTP/1.1 {status} Answer\r\n{extra}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        await writer.drain()
        return True

    def _next_rule(self):
        with self.lock:
            if not self.rules:
                return {}
            rule = self.rules[0]
            rule["times"] = rule.get("times", 1) - 1
            if rule["times"] <= 0:
                self.rules.pop(0)
            return rule
