"""An HTTP proxy between weir and a real server that misbehaves on demand.

    fault_proxy.py --listen PORT --upstream HOST:PORT --control PORT [--rewrite FROM=TO]

It forwards every request to the one upstream as it is (the Host header too: signatures stay valid as long
as weir signs for the proxy's own address and the server accepts it). Faults are set over the control port:

    PUT  /      a JSON list of rules, replaces the rules; each is used `times` times (default 1), in order
    GET  /      {"requests": [["PUT", "/path?query", "fault or empty"], …], "rules": [what is left]}

A rule: {"match": REGEX on "METHOD TARGET", "fault": NAME, "times": N, …}; faults are
    drop_reply    forwards the request, waits for the whole answer, closes without passing it on
    drop_request  closes when the request's head has arrived; the server sees nothing
    cut_upload    forwards the head and `bytes` of the body, then closes both sides
    status        answers `status` with `headers` and `body` (text) after reading the request
    delay         waits `seconds`, then goes on as usual
    blackhole     reads and never answers, for `seconds` (default 3600)
--rewrite changes FROM to TO in Location headers, so that WebHDFS redirects come through a proxy too.
"""

import argparse
import asyncio
import json
import os
import re


class Fault(Exception):
    """Ends a connection as a rule wants it."""


async def read_head(reader):
    """The bytes up to the blank line, or None at the end of the connection."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def header(head, name):
    found = re.search(rb"(?im)^" + name.encode() + rb":[ \t]*([^\r\n]*)", head)
    return found.group(1).decode() if found else None


async def copy_body(reader, writer, head, limit=None):
    """Copies a body of either framing; `limit` bytes at most, then raises Fault."""
    copied = 0

    async def pass_on(data):
        nonlocal copied
        if limit is not None and copied + len(data) >= limit:
            writer.write(data[: limit - copied])
            await writer.drain()
            raise Fault
        copied += len(data)
        writer.write(data)
        await writer.drain()

    if (header(head, "transfer-encoding") or "").lower() == "chunked":
        while True:
            line = await reader.readuntil(b"\r\n")
            size = int(line.split(b";")[0], 16)
            await pass_on(line + await reader.readexactly(size + 2))
            if size == 0:
                return
    left = int(header(head, "content-length") or 0)
    while left:
        data = await reader.read(min(left, 65536))
        if not data:
            raise Fault
        left -= len(data)
        await pass_on(data)


class Sink:
    """A writer that keeps nothing."""

    def write(self, data):
        pass

    async def drain(self):
        pass


class Proxy:
    def __init__(self, upstream, rewrite):
        host, port = upstream.rsplit(":", 1)
        self.upstream = (host, int(port))
        self.rewrite = [tuple(pair.split("=", 1)) for pair in rewrite]
        self.rules = []
        self.requests = []

    def rule_for(self, method, target):
        for rule in self.rules:
            if re.search(rule["match"], f"{method} {target}"):
                rule["times"] = rule.get("times", 1) - 1
                if rule["times"] <= 0:
                    self.rules.remove(rule)
                return rule
        return {}

    async def serve(self, reader, writer):
        upstream = None
        try:
            while head := await read_head(reader):
                method, target = head.split(b"\r\n", 1)[0].decode().split(" ")[:2]
                rule = self.rule_for(method, target)
                self.requests.append([method, target, rule.get("fault", "")])
                if await self.answer_by_itself(rule, head, reader, writer):
                    continue
                if upstream is None:
                    upstream = await asyncio.open_connection(*self.upstream)
                await self.forward(rule, method, head, reader, writer, upstream)
        except (Fault, ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            for stream in (writer, upstream[1] if upstream else None):
                if stream:
                    stream.close()

    async def answer_by_itself(self, rule, head, reader, writer):
        fault = rule.get("fault")
        if fault == "drop_request":
            raise Fault
        if fault == "blackhole":
            await asyncio.sleep(rule.get("seconds", 3600))
            raise Fault
        if fault == "delay":
            await asyncio.sleep(rule["seconds"])
        if fault != "status":
            return False
        if (header(head, "expect") or "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await copy_body(reader, Sink(), head)
        body = rule.get("body", "").encode()
        lines = [f"HTTP/1.1 {rule['status']} Fault", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in rule.get("headers", {}).items()]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await writer.drain()
        return True

    async def forward(self, rule, method, head, reader, writer, upstream):
        fault = rule.get("fault")
        up_reader, up_writer = upstream
        up_writer.write(head)
        await up_writer.drain()
        limit = rule.get("bytes", 0) if fault == "cut_upload" else None
        # The body comes after the server's "100 Continue", so both directions run at once.
        upload = asyncio.create_task(copy_body(reader, up_writer, head, limit))
        try:
            client = Sink() if fault == "drop_reply" else writer
            while True:
                reply = asyncio.create_task(read_head(up_reader))
                await asyncio.wait({reply, upload}, return_when=asyncio.FIRST_COMPLETED)
                if upload.done() and upload.exception():
                    reply.cancel()
                    raise upload.exception()
                answer = await reply
                if answer is None:
                    raise Fault
                status = int(answer.split(b" ", 2)[1])
                # A client that waits for "100 Continue" gets it even if the answer will be dropped.
                (writer if status == 100 else client).write(self.rewritten(answer))
                if status != 100:
                    break
            if method != "HEAD" and status not in (204, 304):
                await copy_body(up_reader, client, answer)
            await writer.drain()
            if fault == "drop_reply":
                await upload
                raise Fault
            await upload
        finally:
            upload.cancel()

    def rewritten(self, head):
        for old, new in self.rewrite:
            head = re.sub(
                rb"(?im)^(location:[^\r\n]*?)" + re.escape(old.encode()), rb"\g<1>" + new.encode(), head
            )
        return head

    async def control(self, reader, writer):
        head = await read_head(reader)
        if head:
            if head.startswith(b"PUT"):
                if header(head, "expect"):
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                self.rules = json.loads(await reader.readexactly(int(header(head, "content-length"))))
                self.requests = []
            body = json.dumps({"requests": self.requests, "rules": self.rules}).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
            await writer.drain()
        writer.close()


async def end_with_parent():
    """The proxy must not outlive the tests, however they end."""
    parent = os.getppid()
    while os.getppid() == parent:
        await asyncio.sleep(0.5)
    os._exit(0)


async def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--listen", type=int, required=True)
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--control", type=int, required=True)
    parser.add_argument("--rewrite", action="append", default=[])
    options = parser.parse_args()
    proxy = Proxy(options.upstream, options.rewrite)
    servers = [
        await asyncio.start_server(proxy.serve, "127.0.0.1", options.listen, limit=1 << 20),
        await asyncio.start_server(proxy.control, "127.0.0.1", options.control),
    ]
    print(f"127.0.0.1:{options.listen} -> {options.upstream}", flush=True)
    await asyncio.gather(end_with_parent(), *(server.serve_forever() for server in servers))


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
