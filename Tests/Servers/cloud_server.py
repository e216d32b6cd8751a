"""What the test servers of Azure storage and of Google Cloud Storage share: requests, bodies, tokens, TLS.

A server keeps its objects until it ends: short ones in memory, long ones in files without a name. One lock
makes every request one step, so conditions are as atomic as the clouds promise. Standard library only.
Requests to /_control are the tests' own: POST /_control/forget-tokens makes every token unknown,
POST /_control/clock?seconds=N sets the server's clock ahead of the machine's (or behind it), and
POST /_control/place?is=missing takes the buckets and containers away until `is=there`.
"""

import argparse
import base64
import email.utils
import hashlib
import json
import os
import secrets
import ssl
import tempfile
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MEMORY_BYTES_MAX = 1 << 20
PIECE_BYTES = 256 << 10


class Refusal(Exception):
    """An answer that is no success."""

    def __init__(self, status, code, message="", detail=""):
        self.status, self.code, self.message, self.detail = status, code, message or code, detail


class Bytes:
    """What a request carried or an object holds."""

    def __init__(self, has_sha256=False):
        self.file = tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES_MAX)
        self.length = 0
        self.md5_hash, self.sha256_hash = hashlib.md5(), hashlib.sha256() if has_sha256 else None

    def append(self, piece):
        self.file.seek(0, 2)
        self.file.write(piece)
        self.length += len(piece)
        self.md5_hash.update(piece)
        if self.sha256_hash:
            self.sha256_hash.update(piece)

    def append_all(self, other, count=None):
        for piece in other.pieces(0, other.length if count is None else count):
            self.append(piece)

    def pieces(self, start, end):
        while start < end:
            self.file.seek(start)
            piece = self.file.read(min(PIECE_BYTES, end - start))
            start += len(piece)
            yield piece

    def all(self):
        return b"".join(self.pieces(0, self.length))

    @property
    def md5(self):
        return base64.b64encode(self.md5_hash.digest()).decode()

    @classmethod
    def of(cls, content):
        made = cls()
        made.append(content)
        return made


class Stored:
    """An object, or a folder where there are some."""

    def __init__(self, body, properties=None, is_folder=False, now=None):
        self.body, self.properties, self.is_folder = body, properties or {}, is_folder
        self.modified = now if now is not None else time.time()
        self.version = time.time_ns() // 1000
        self.md5 = body.md5


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 64 << 10
    timeout = 120

    def log_message(self, *arguments):
        pass

    def date_time_string(self, timestamp=None):
        return email.utils.formatdate(self.server.now() if timestamp is None else timestamp, usegmt=True)

    def handle_expect_100(self):
        super().handle_expect_100()
        self.wfile.flush()  # it is buffered
        return True

    def serve(self):
        path, _, query = self.path.partition("?")
        self.raw_path, self.raw_query = path, query
        self.query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        self.body = self._read_body()
        if self.body is None:
            self.close_connection = True
            return
        try:
            with self.server.lock:
                if path.startswith("/_control/"):
                    self._control(path.removeprefix("/_control/"))
                else:
                    self.route()
        except Refusal as refusal:
            self.refuse(refusal)

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = do_HEAD = serve

    def _read_body(self):
        """The request's body; None when the connection ends within it."""
        body, left = Bytes("x-goog-content-sha256" in self.headers), int(self.headers.get("Content-Length") or 0)
        while left:
            piece = self.rfile.read(min(left, PIECE_BYTES))
            if not piece:
                return None
            body.append(piece)
            left -= len(piece)
        return body

    def _control(self, command):
        if command == "forget-tokens":
            self.server.tokens.clear()
        elif command == "clock":
            self.server.clock_offset = int(self.query["seconds"])
        elif command == "place":
            self.server.is_place_missing = self.query["is"] == "missing"
        else:
            raise Refusal(404, "NotFound")
        self.answer(204)

    def answer(self, status, content=b"", headers=None, content_type="application/json", length=None):
        """`content` is bytes, a text, something for JSON, or an iterator over `length` bytes."""
        if isinstance(content, (dict, list)):
            content = json.dumps(content)
        if isinstance(content, str):
            content = content.encode()
        if isinstance(content, bytes):
            length = len(content) if length is None else length
            content = [content]
        self.send_response(status)
        if length and not any(name.lower() == "content-type" for name in headers or {}):
            self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(length))
        for name, value in (headers or {}).items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            for piece in content:
                self.wfile.write(piece)
        self.wfile.flush()

    def answer_bytes(self, stored, headers, range_header=None):
        """An object's bytes, or a range of them."""
        start, end, status = 0, stored.body.length, 200
        if range_header:
            first, last = range_header.removeprefix("bytes=").split("-")
            start, end = int(first), min(int(last) + 1 if last else end, end)
            if start >= stored.body.length:
                raise Refusal(416, "InvalidRange", "The range is not in the object.")
            headers = {**headers, "Content-Range": f"bytes {start}-{end - 1}/{stored.body.length}"}
            status = 206
        pieces = [] if self.command == "HEAD" else stored.body.pieces(start, end)
        self.answer(status, pieces, headers, "application/octet-stream", length=end - start)

    def page_limit(self, asked):
        return min(int(asked or 1000), self.server.options.page_max)

    def give_token(self):
        token = secrets.token_urlsafe(40)
        seconds = self.server.options.token_seconds
        self.server.tokens[token] = self.server.now() + seconds
        self.answer(200, {"access_token": token, "expires_in": seconds, "token_type": "Bearer"})

    def has_token(self):
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        return self.server.tokens.get(given, 0) > self.server.now()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, handler, options):
        super().__init__(("127.0.0.1", options.port), handler)
        self.options, self.tokens, self.clock_offset = options, {}, 0
        self.is_place_missing = False
        self.lock = threading.RLock()
        if options.cert:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(options.cert, options.key)
            # The handshake belongs to the connection's own thread.
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def url(self):
        scheme = "https" if self.options.cert else "http"
        return f"{scheme}://127.0.0.1:{self.server_address[1]}"

    def now(self):
        return time.time() + self.clock_offset

    def handle_error(self, request, client_address):
        pass  # clients that leave are part of the tests


def argument_parser(description):
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--port", type=int, default=0, help="0: a free one, which is printed")
    parser.add_argument("--token-seconds", type=int, default=3600)
    parser.add_argument("--page-max", type=int, default=1000, help="entries that one page of a list has at most")
    parser.add_argument("--cert", help="certificate in PEM: https instead of http")
    parser.add_argument("--key", help="the certificate's key")
    return parser


def end_with_parent():
    """A server must not outlive the tests, however they end."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


def run(server):
    """Serves until a signal, or its parent's end; the first line of output is the address."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    print(server.url, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
