"""Google Cloud Storage for tests: the JSON API by tokens, the XML API by HMAC keys, every request verified.

    gcs_server.py --account FILE [--port PORT] [--token-seconds N] [--cert PEM --key PEM]

It writes the key file of a service account to FILE (its token_uri is this server), and has one bucket,
`weir`. It checks RS256 assertions (signature, issuer, audience, times), the tokens that it hands out for
them and at the metadata server's path, GOOG4-HMAC-SHA256 signatures with dates and body hashes, MD5s and
generation preconditions. Resumable uploads keep whole 256 KiB only, as Google's do. If-None-Match on
uploads is ignored, and Amazon's headers are refused beside Google's, as Google does. RSA keys are made by
the openssl command.
"""

import base64
import calendar
import hashlib
import hmac
import json
import re
import secrets
import subprocess
import time
import urllib.parse
from xml.sax.saxutils import escape

from cloud_server import Bytes, Handler, Refusal, Server, Stored, argument_parser, run

ACCESS_KEY, SECRET_KEY = "GOOGWEIRTESTKEY", "weirtestsecret0123456789abcdef"
EMAIL = "weir@weir-test.iam.gserviceaccount.com"
UNIT = 256 << 10
BUCKET = "weir"
DATE_SECONDS_MAX = 900


def from_base64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class ServiceAccountKey:
    """An RSA key of 2048 bits, and the public half's arithmetic."""

    exponent = 65537

    def __init__(self):
        def openssl(*arguments, **options):
            return subprocess.run(["openssl", *arguments], check=True, capture_output=True, text=True, **options).stdout

        self.pem = openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
        modulus = openssl("rsa", "-noout", "-modulus", input=self.pem)
        self.modulus = int(modulus.strip().split("=")[1], 16)

    def signed(self, message, given):
        """Whether `given` is the key's RSASSA-PKCS1-v1_5 signature with SHA-256 of `message`."""
        length = (self.modulus.bit_length() + 7) // 8
        digest = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(message).digest()
        padded = b"\x00\x01" + b"\xff" * (length - len(digest) - 3) + b"\x00" + digest
        opened = pow(int.from_bytes(given, "big"), self.exponent, self.modulus).to_bytes(length, "big")
        return len(given) == length and hmac.compare_digest(opened, padded)

    def key_file(self, url):
        return {
            "type": "service_account", "project_id": "weir-test", "private_key_id": "weir-test-key",
            "private_key": self.pem, "client_email": EMAIL, "client_id": "1", "token_uri": url + "/token",
            "universe_domain": "googleapis.com",
        }  # fmt: skip


class XMLRefusal(Refusal):
    """A refusal of the XML API."""


class Session:
    """A resumable upload."""

    def __init__(self, metadata, condition):
        self.metadata, self.condition = metadata, condition
        self.body, self.done = Bytes(), None


class GCSHandler(Handler):
    server_version = "UploadServer"

    def refuse(self, refusal):
        if isinstance(refusal, XMLRefusal):
            text = f"<Error><Code>{refusal.code}</Code><Message>{escape(refusal.message)}</Message></Error>"
            return self.answer(refusal.status, text, content_type="application/xml")
        error = {"code": refusal.status, "message": refusal.message}
        error["errors"] = [{"message": refusal.message, "domain": "global", "reason": refusal.code}]
        return self.answer(refusal.status, {"error": error})

    def route(self):
        path = self.raw_path
        if path == "/token" and self.command == "POST":
            return self._token()
        if path.startswith("/computeMetadata/v1/instance/service-accounts/default/token"):
            if self.headers.get("Metadata-Flavor") != "Google":
                raise Refusal(403, "forbidden", "Missing Metadata-Flavor:Google header.")
            return self.give_token()
        if "upload_id" in self.query:
            return self._resume()
        found = re.fullmatch(r"/(upload/|download/)?storage/v1/b/([^/]+)(?:/o(?:/([^/]+))?)?", path)
        if not found:
            return self._xml()
        if not self.has_token():
            given = "Authorization" in self.headers
            raise Refusal(401, "authError" if given else "required", "Invalid Credentials")
        bucket, name = urllib.parse.unquote(found[2]), urllib.parse.unquote(found[3] or "")
        if bucket != BUCKET or self.server.is_place_missing:
            raise Refusal(404, "notFound", "The specified bucket does not exist.")
        if found[1] == "upload/":
            return self._upload()
        if not name:
            return self._list()
        return self._object(name, found[1] == "download/" or self.query.get("alt") == "media")

    # Who it is

    def _token(self):
        form = dict(urllib.parse.parse_qsl(self.body.all().decode()))
        complaint = self._complaint_of_assertion(form)
        if complaint:
            return self.answer(400, {"error": "invalid_grant", "error_description": complaint})
        return self.give_token()

    def _complaint_of_assertion(self, form):
        if form.get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer":
            return "Invalid grant_type"
        header, claims, signature = form["assertion"].split(".")
        if json.loads(from_base64url(header)).get("alg") != "RS256":
            return "Invalid JWT algorithm."
        if not self.server.account.signed(f"{header}.{claims}".encode(), from_base64url(signature)):
            return "Invalid JWT Signature."
        claims = json.loads(from_base64url(claims))
        now, issued, end = self.server.now(), claims["iat"], claims["exp"]
        if claims["iss"] != EMAIL:
            return "Invalid grant: account not found"
        # Google's own client names Google's service whatever the key file says.
        if claims["aud"] not in (self.server.url + "/token", "https://oauth2.googleapis.com/token"):
            return "Invalid JWT: Failed audience check."
        if not re.search("auth/(devstorage|cloud-platform)", claims["scope"]):
            return "Invalid JWT: no scope of storage."
        if issued > now + 300 or end < now - 300 or end > now + 3900 or end - issued > 3600:
            return "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
        return None

    # Objects

    def _require_generation(self, name, condition):
        present = self.server.objects.get(name)
        if condition is not None and int(condition) != (present.version if present else 0):
            message = "At least one of the pre-conditions you specified did not hold."
            raise Refusal(412, "conditionNotMet", message)

    def _store(self, name, body, md5=None):
        if md5 and md5 != body.md5:
            message = f'Provided MD5 hash "{md5}" doesn\'t match calculated MD5 hash "{body.md5}".'
            raise Refusal(400, "invalid", message)
        self.server.objects[name] = Stored(body, now=self.server.now())
        return self._description(name)

    def _description(self, name):
        stored = self.server.objects[name]
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(stored.modified)) + ".000Z"
        return {
            "kind": "storage#object", "name": name, "bucket": BUCKET, "size": str(stored.body.length),
            "md5Hash": stored.md5, "generation": str(stored.version), "metageneration": "1",
            "contentType": "application/octet-stream", "updated": moment, "timeCreated": moment,
            "etag": f"E{stored.version}", "mediaLink": f"{self.server.url}/download/storage/v1/b/{BUCKET}/o/"
            + urllib.parse.quote(name, safe="") + "?alt=media",
        }  # fmt: skip

    def _object(self, name, is_media):
        stored = self.server.objects.get(name)
        if not stored:
            message = f"No such object: {BUCKET}/{name}"
            if is_media:
                return self.answer(404, message, content_type="text/plain")
            raise Refusal(404, "notFound", message)
        if self.command == "DELETE":
            del self.server.objects[name]
            return self.answer(204)
        if not is_media:
            return self.answer(200, self._description(name))
        headers = {"X-Goog-Hash": f"md5={stored.md5}", "x-goog-generation": str(stored.version)}
        return self.answer_bytes(stored, headers, self.headers.get("Range"))

    def _list(self):
        query = self.query
        names = sorted(self.server.objects, key=str.encode)
        first = max(query.get("startOffset", "").encode(), query.get("pageToken", "").encode())
        names = [n for n in names if n.startswith(query.get("prefix", "")) and n.encode() >= first]
        limit = self.page_limit(query.get("maxResults"))
        listed = {"kind": "storage#objects"}
        if names:
            listed["items"] = [self._description(name) for name in names[:limit]]
        if len(names) > limit:
            listed["nextPageToken"] = names[limit]
        self.answer(200, listed)

    # Uploads

    def _upload(self):
        condition = self.query.get("ifGenerationMatch")
        if self.query.get("uploadType") == "multipart":
            boundary = re.search(r'boundary="?([^";]+)', self.headers["Content-Type"])[1].encode()
            _, first, second, _ = self.body.all().split(b"--" + boundary)
            metadata = json.loads(first.split(b"\r\n\r\n", 1)[1])
            content = second.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n")
            self._require_generation(metadata["name"], condition)
            return self.answer(200, self._store(metadata["name"], Bytes.of(content), metadata.get("md5Hash")))
        if self.query.get("uploadType") != "resumable":
            raise Refusal(400, "invalid", "uploadType")
        metadata = json.loads(self.body.all())
        self._require_generation(metadata["name"], condition)
        session = secrets.token_urlsafe(24)
        self.server.sessions[session] = Session(metadata, condition)
        scheme = "https" if self.server.options.cert else "http"
        place = f"{scheme}://{self.headers['Host']}/upload/storage/v1/b/{BUCKET}/o?uploadType=resumable"
        return self.answer(200, headers={"Location": f"{place}&upload_id={session}"})

    def _resume(self):
        session = self.server.sessions.get(self.query["upload_id"])
        if not session:
            raise Refusal(410, "gone", "The upload session is not there.")
        if self.command == "DELETE":
            del self.server.sessions[self.query["upload_id"]]
            return self.answer(499)
        if session.done:
            return self.answer(200, session.done)
        given = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+)", self.headers["Content-Range"])
        total, body = int(given[3]), session.body
        if given[1] is not None:
            start, end = int(given[1]), int(given[2]) + 1
            if end - start != self.body.length:
                raise Refusal(400, "badRequest", "Content-Range does not fit the body.")
            if end < total and self.body.length < UNIT:
                raise Refusal(400, "badRequest", f"The chunk has less than {UNIT} bytes.")
            if start == body.length:
                kept = self.body.length if end == total else self.body.length // UNIT * UNIT
                body.append_all(self.body, kept)
        if body.length != total:
            kept = f"bytes=0-{body.length - 1}" if body.length else None
            return self.answer(308, headers={"Range": kept})
        name = session.metadata["name"]
        self._require_generation(name, session.condition)
        session.done = self._store(name, body, session.metadata.get("md5Hash"))
        return self.answer(200, session.done)

    # The XML API

    def _require_hmac(self):
        found = re.match(
            r"GOOG4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/storage/goog4_request, "
            r"SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$",
            self.headers.get("Authorization", ""),
        )
        if not found:
            raise XMLRefusal(403, "AccessDenied", "Access denied.")
        if any(name.lower().startswith("x-amz-") for name in self.headers):
            raise XMLRefusal(400, "ExcessHeaderValues", "Headers of Amazon and of Google are mixed.")
        key, day, region, names, signature = found.groups()
        if key != ACCESS_KEY:
            raise XMLRefusal(403, "InvalidAccessKeyId", "The User Id you provided does not exist.")
        date = self.headers.get("x-goog-date", "")
        moment = calendar.timegm(time.strptime(date, "%Y%m%dT%H%M%SZ"))
        if abs(self.server.now() - moment) > DATE_SECONDS_MAX or date[:8] != day:
            raise XMLRefusal(403, "RequestTimeTooSkewed", "The difference between the clocks is too large.")
        hashed = self.headers["x-goog-content-sha256"]
        if hashed != self.body.sha256_hash.hexdigest():
            raise XMLRefusal(400, "XAmzContentSHA256Mismatch", "The body has another hash.")
        names = names.split(";")
        items = urllib.parse.parse_qsl(self.raw_query, keep_blank_values=True)
        query = sorted("=".join(urllib.parse.quote(part, safe="-_.~") for part in item) for item in items)
        lines = [self.command, self.raw_path, "&".join(query)]
        lines += [f"{name}:{' '.join(self.headers.get(name, '').split())}" for name in names]
        canonical = "\n".join([*lines, "", ";".join(names), hashed])
        text = f"GOOG4-HMAC-SHA256\n{date}\n{day}/{region}/storage/goog4_request\n"
        text += hashlib.sha256(canonical.encode()).hexdigest()
        secret = ("GOOG4" + SECRET_KEY).encode()
        for part in (day, region, "storage", "goog4_request"):
            secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
        if "host" not in names or hmac.new(secret, text.encode(), hashlib.sha256).hexdigest() != signature:
            raise XMLRefusal(403, "SignatureDoesNotMatch", "The signature does not match.")

    def _xml(self):
        self._require_hmac()
        bucket, _, name = self.raw_path.removeprefix("/").partition("/")
        name = urllib.parse.unquote(name)
        if bucket != BUCKET or self.server.is_place_missing:
            raise XMLRefusal(404, "NoSuchBucket", "The specified bucket does not exist.")
        if "uploads" in self.query or "uploadId" in self.query:
            return self._xml_multipart(name)
        if not name:
            return self._xml_list()
        stored = self.server.objects.get(name)
        if self.command == "PUT":
            try:
                self._require_generation(name, self.headers.get("x-goog-if-generation-match"))
            except Refusal as refusal:
                raise XMLRefusal(412, "PreconditionFailed", refusal.message) from refusal
            self._store(name, self.body)
            return self.answer(200, headers={"ETag": f'"{self.body.md5_hash.hexdigest()}"'})
        if not stored:
            raise XMLRefusal(404, "NoSuchKey", "The specified key does not exist.")
        if self.command == "DELETE":
            del self.server.objects[name]
            return self.answer(204)
        headers = {"ETag": f'"{stored.version}"', "Last-Modified": self.date_time_string(stored.modified)}
        return self.answer_bytes(stored, headers, self.headers.get("Range"))

    def _xml_list(self):
        prefix, after = self.query.get("prefix", ""), self.query.get("start-after", "")
        limit = self.page_limit(self.query.get("max-keys"))
        names = sorted(self.server.objects, key=str.encode)
        names = [n for n in names if n.startswith(prefix) and n.encode() > after.encode()]
        items = "".join(
            f"<Contents><Key>{escape(name)}</Key><Size>{self.server.objects[name].body.length}</Size></Contents>"
            for name in names[:limit]
        )
        more = "true" if len(names) > limit else "false"
        text = f"<ListBucketResult><IsTruncated>{more}</IsTruncated>{items}</ListBucketResult>"
        self.answer(200, text, content_type="application/xml")

    def _xml_multipart(self, name):
        uploads, number = self.server.uploads, self.query.get("uploadId")
        if self.command == "GET":
            items = "".join(
                f"<Upload><Key>{escape(key)}</Key><UploadId>{each}</UploadId></Upload>" for each, (key, _) in uploads.items()
            )
            text = f"<ListMultipartUploadsResult>{items}</ListMultipartUploadsResult>"
            return self.answer(200, text, content_type="application/xml")
        if number is None:
            number = secrets.token_hex(8)
            uploads[number] = (name, {})
            text = f"<InitiateMultipartUploadResult><UploadId>{number}</UploadId></InitiateMultipartUploadResult>"
            return self.answer(200, text, content_type="application/xml")
        if number not in uploads:
            raise XMLRefusal(404, "NoSuchUpload", "The upload is not there.")
        parts = uploads[number][1]
        if self.command == "PUT":
            parts[int(self.query["partNumber"])] = self.body
            return self.answer(200, headers={"ETag": f'"{self.body.md5_hash.hexdigest()}"'})
        del uploads[number]
        if self.command == "DELETE":
            return self.answer(204)
        whole = Bytes()
        for part in sorted(parts):
            whole.append_all(parts[part])
        self._store(name, whole)
        text = "<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>"
        return self.answer(200, text, content_type="application/xml")


def main():
    parser = argument_parser(__doc__)
    parser.add_argument("--account", required=True, help="where to write the service account's key file")
    options = parser.parse_args()
    server = Server(GCSHandler, options)
    server.objects, server.sessions, server.uploads = {}, {}, {}
    server.account = ServiceAccountKey()
    with open(options.account, "w") as file:
        json.dump(server.account.key_file(server.url), file, indent=1)
    run(server)


if __name__ == "__main__":
    main()
