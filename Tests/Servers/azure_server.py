"""Azure storage for tests: blobs and, in a file system, folders (ADLS Gen2), every request verified.

    azure_server.py [--port PORT] [--token-seconds N] [--cert PEM --key PEM]

The account is weiracct, its container `weir` and its file system `weirfs`. Addresses are
http://127.0.0.1:PORT/weiracct/CONTAINER/NAME, or weiracct.anything as host. It checks SharedKey signatures,
the dates in them, shared access signatures (account and service), tokens that it hands out itself (to the
application weir-client and at the metadata service's path), Content-MD5, conditions, block lists, flush
positions, and that a rename finds its folder. As Azure does, it says 409 to If-None-Match: * on something
that is there. Not in it: leases, snapshots, access control lists, CRC64.
"""

import base64
import datetime
import email.utils
import hashlib
import hmac
import re
import urllib.parse
import xml.etree.ElementTree as ElementTree
from xml.sax.saxutils import escape

from cloud_server import Bytes, Handler, Refusal, Server, Stored, argument_parser, run

ACCOUNT = "weiracct"
ACCOUNT_KEY = base64.b64encode(b"weir-test-account-key-0123456789abcdef").decode()
TENANT, CLIENT_ID, CLIENT_SECRET = "weir-tenant", "weir-client", "weir-client-secret"
DATE_SECONDS_MAX = 900
SIGNED_HEADERS = (
    "Content-Encoding", "Content-Language", "Content-Length", "Content-MD5", "Content-Type", "Date",
    "If-Modified-Since", "If-Match", "If-None-Match", "If-Unmodified-Since", "Range",
)  # fmt: skip
FAILED = "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly."


def signature(text):
    return base64.b64encode(
        hmac.new(base64.b64decode(ACCOUNT_KEY), text.encode(), hashlib.sha256).digest()
    ).decode()


class Container:
    def __init__(self, has_folders):
        self.has_folders = has_folders
        self.objects, self.blocks, self.appended = {}, {}, {}

    def parent(self, name):
        return name.rpartition("/")[0]

    def has_folder(self, name):
        return not name or (name in self.objects and self.objects[name].is_folder)

    def make_parents(self, name):
        parent = self.parent(name)
        if parent and not self.has_folder(parent):
            self.make_parents(parent)
            self.objects[parent] = Stored(Bytes(), is_folder=True)


class AzureHandler(Handler):
    server_version = "Windows-Azure-Blob/1.0"

    def refuse(self, refusal):
        code, message = refusal.code, refusal.message
        if self.is_file_system:
            error = {"code": code, "message": message}
            if refusal.detail:
                error["detail"] = {"AuthenticationErrorDetail": refusal.detail}
            content, content_type = {"error": error}, "application/json"
        else:
            detail = escape(refusal.detail)
            content = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code>'
            content += f"<Message>{escape(message)}\nRequestId:0\nTime:0</Message>"
            content += f"<AuthenticationErrorDetail>{detail}</AuthenticationErrorDetail>" if detail else ""
            content, content_type = content + "</Error>", "application/xml"
        if self.command == "HEAD":
            content = b""
        self.answer(refusal.status, content, {"x-ms-error-code": code}, content_type)

    is_file_system = False

    def route(self):
        if self._token_service():
            return
        self.query = {name.lower(): value for name, value in self.query.items()}
        host = self.headers.get("Host", "")
        path = self.raw_path.removeprefix("/")
        if host.split(".")[0] != ACCOUNT:
            account, _, path = path.partition("/")
            if account != ACCOUNT:
                raise Refusal(400, "InvalidUri", "The account is unknown.")
        container, _, name = path.partition("/")
        self.name = urllib.parse.unquote(name)
        self.is_file_system = (
            ".dfs." in host or "resource" in self.query or "action" in self.query
            or "x-ms-rename-source" in self.headers or "recursive" in self.query
        )  # fmt: skip
        self._authenticate(urllib.parse.unquote(container))
        given = self.headers.get("Content-MD5")
        if given and self.command != "GET" and given != self.body.md5:
            raise Refusal(400, "Md5Mismatch", "The MD5 value in the request did not match the data.")
        if container not in self.server.containers or self.server.is_place_missing:
            code = "FilesystemNotFound" if self.is_file_system else "ContainerNotFound"
            raise Refusal(404, code, "The specified container does not exist.")
        self.container = self.server.containers[container]
        self.present = self.container.objects.get(self.name)
        (self._file_system if self.is_file_system else self._blob)()

    # Who it is

    def _token_service(self):
        found = re.fullmatch(r"/([^/]+)/oauth2/v2\.0/token", self.raw_path)
        if found and self.command == "POST":
            form = dict(urllib.parse.parse_qsl(self.body.all().decode()))
            known = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
            if found[1] != TENANT:
                self._no_token(400, "invalid_request", f"AADSTS90002: Tenant '{found[1]}' not found.")
            elif form.get("client_id") != CLIENT_ID:
                self._no_token(400, "unauthorized_client", "AADSTS700016: Application was not found.")
            elif {**form, **known} != form or not form.get("scope", "").startswith("https://storage.azure.com"):
                self._no_token(401, "invalid_client", "AADSTS7000215: Invalid client secret provided.")
            else:
                self.give_token()
            return True
        if self.raw_path != "/metadata/identity/oauth2/token":
            return False
        if self.headers.get("Metadata") != "true" or "api-version" not in self.query:
            self._no_token(400, "invalid_request", "Required metadata header not specified")
        else:
            self.give_token()
        return True

    def _no_token(self, status, error, description):
        self.answer(status, {"error": error, "error_description": description + "\r\nTrace ID: 0"})

    def _authenticate(self, container):
        authorization = self.headers.get("Authorization", "")
        if not authorization:
            if "sig" not in self.query:
                raise Refusal(401, "NoAuthenticationInformation", FAILED)
            return self._check_access_signature(container)
        if not self.headers.get("x-ms-version"):
            raise Refusal(400, "MissingRequiredHeader", "x-ms-version")
        if authorization.startswith("Bearer "):
            if not self.has_token():
                raise Refusal(401, "InvalidAuthenticationInfo", FAILED, "Lifetime validation failed.")
            return None
        return self._check_shared_key(authorization)

    def _check_shared_key(self, authorization):
        sent = self.headers.get("x-ms-date") or self.headers.get("Date") or ""
        moment = email.utils.parsedate_to_datetime(sent).timestamp() if sent else 0
        if abs(self.server.now() - moment) > DATE_SECONDS_MAX:
            raise Refusal(403, "AuthenticationFailed", FAILED, f"Request date header too old: '{sent}'")
        values = {name: self.headers.get(name) or "" for name in SIGNED_HEADERS}
        if values["Content-Length"] == "0":
            values["Content-Length"] = ""
        if self.headers.get("x-ms-date"):
            values["Date"] = ""
        own = sorted((n.lower(), v.strip()) for n, v in self.headers.items() if n.lower().startswith("x-ms-"))
        resource, items = f"/{ACCOUNT}{self.raw_path}", {}
        for name, value in urllib.parse.parse_qsl(self.raw_query, keep_blank_values=True):
            items.setdefault(name.lower(), []).append(value)
        for name in sorted(items):
            resource += f"\n{name}:" + ",".join(sorted(items[name]))
        text = "\n".join([self.command, *values.values()]) + "\n"
        text += "".join(f"{name}:{value}\n" for name, value in own) + resource
        if not hmac.compare_digest(f"SharedKey {ACCOUNT}:{signature(text)}", authorization):
            raise Refusal(403, "AuthenticationFailed", FAILED, f"The MAC signature is not the same as of {text!r}.")

    def _check_access_signature(self, container):
        def value(name):
            return self.query.get(name, "")

        if "srt" in self.query:
            names = ["sp", "ss", "srt", "st", "se", "sip", "spr", "sv", "ses"]
            text = "\n".join([ACCOUNT, *map(value, names)]) + "\n"
        else:
            resource = f"/blob/{ACCOUNT}/{container}" + ("" if value("sr") == "c" else f"/{self.name}")
            names = ["si", "sip", "spr", "sv", "sr", "snapshot", "ses", "rscc", "rscd", "rsce", "rscl", "rsct"]
            text = "\n".join([value("sp"), value("st"), value("se"), resource, *map(value, names)])
        if not hmac.compare_digest(signature(text), value("sig")):
            raise Refusal(403, "AuthenticationFailed", FAILED, "Signature did not match.")
        clock = datetime.datetime.fromtimestamp(self.server.now(), datetime.timezone.utc)
        now = clock.strftime("%Y-%m-%dT%H:%M:%SZ")
        if value("se") < now or value("st") > now:
            frame = f"Start [{value('st')}] - Expiry [{value('se')}] - Current [{now}]"
            detail = f"Signature not valid in the specified time frame: {frame}"
            raise Refusal(403, "AuthenticationFailed", FAILED, detail)
        needed = {"GET": "r", "HEAD": "r", "DELETE": "d", "PUT": "cw", "PATCH": "wa"}[self.command]
        if value("comp") == "list" or value("resource") == "filesystem":
            needed = "l"
        if not set(needed) & set(value("sp")):
            raise Refusal(403, "AuthorizationPermissionMismatch", "This request is not authorized to do this.")

    # Objects

    def _require_condition(self):
        if self.headers.get("If-None-Match") == "*" and self.present:
            if self.is_file_system:
                raise Refusal(409, "PathAlreadyExists", "The specified path already exists.")
            raise Refusal(409, "BlobAlreadyExists", "The specified blob already exists.")

    def _store(self, body, md5):
        if self.container.has_folders:
            self.container.make_parents(self.name)
        stored = Stored(body, now=self.server.now())
        stored.md5 = md5
        self.container.objects[self.name] = stored
        return self._marks(stored)

    def _marks(self, stored):
        return {"ETag": f'"0x{stored.version:X}"', "Last-Modified": self.date_time_string(stored.modified)}

    def _read(self):
        if not self.present:
            missing = "PathNotFound" if self.is_file_system else "BlobNotFound"
            raise Refusal(404, missing, "The specified object does not exist.")
        headers = self._marks(self.present)
        headers["x-ms-blob-type"] = "BlockBlob"
        headers["x-ms-resource-type"] = "directory" if self.present.is_folder else "file"
        if self.present.is_folder:
            headers["x-ms-meta-hdi_isfolder"] = "true"
        wanted = self.headers.get("x-ms-range") or self.headers.get("Range")
        headers["x-ms-blob-content-md5" if wanted else "Content-MD5"] = self.present.md5
        self.answer_bytes(self.present, headers, wanted)

    # Blobs

    def _blob(self):
        if not self.name:
            if self.query.get("comp") == "list":
                return self._list_blobs()
            return self.answer(200)
        if self.command in ("GET", "HEAD"):
            return self._read()
        if self.command == "DELETE":
            if not self.present:
                raise Refusal(404, "BlobNotFound", "The specified blob does not exist.")
            del self.container.objects[self.name]
            return self.answer(202)
        blocks = self.container.blocks.setdefault(self.name, {})
        if self.query.get("comp") == "block":
            return self._put_block(blocks)
        self._require_condition()
        if self.query.get("comp") == "blocklist":
            headers = self._put_block_list(blocks)
        elif self.headers.get("x-ms-blob-type") == "BlockBlob" and self.command == "PUT":
            headers = self._store(self.body, self.body.md5)
            headers["Content-MD5"] = self.body.md5
        else:
            raise Refusal(400, "MissingRequiredHeader", "x-ms-blob-type")
        self.container.blocks.pop(self.name, None)
        return self.answer(201, headers=headers)

    def _put_block(self, blocks):
        name = self.query.get("blockid", "")
        if not name or len(base64.b64decode(name, validate=True)) > 64 or not self.body.length:
            raise Refusal(400, "InvalidQueryParameterValue", "blockid")
        if any(len(other) != len(name) for other in blocks):
            raise Refusal(400, "InvalidBlobOrBlock", "The specified blob or block content is invalid.")
        blocks[name] = self.body
        self.answer(201, headers={"Content-MD5": self.body.md5})

    def _put_block_list(self, blocks):
        whole = Bytes()
        for element in ElementTree.fromstring(self.body.all()):
            if element.tag not in ("Latest", "Uncommitted") or element.text not in blocks:
                raise Refusal(400, "InvalidBlockList", "The specified block list is invalid.")
            whole.append_all(blocks[element.text])
        return self._store(whole, self.headers.get("x-ms-blob-content-md5"))

    def _list_blobs(self):
        prefix, marker = self.query.get("prefix", ""), self.query.get("marker", "")
        limit = self.page_limit(self.query.get("maxresults"))
        names = sorted(self.container.objects, key=str.encode)
        names = [n for n in names if n.startswith(prefix) and n.encode() >= marker.encode()]
        items = ""
        for name in names[:limit]:
            stored = self.container.objects[name]
            marks = self._marks(stored)
            kind = "directory" if stored.is_folder else "file"
            items += (
                f"<Blob><Name>{escape(name)}</Name><Properties><Last-Modified>{marks['Last-Modified']}"
                f"</Last-Modified><Etag>{escape(marks['ETag'])}</Etag><ResourceType>{kind}</ResourceType>"
                f"<Content-Length>{stored.body.length}</Content-Length><BlobType>BlockBlob</BlobType>"
                "</Properties></Blob>"
            )
        following = escape(names[limit]) if len(names) > limit else ""
        self.answer(
            200,
            f'<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>{items}</Blobs>'
            f"<NextMarker>{following}</NextMarker></EnumerationResults>",
            content_type="application/xml",
        )

    # Files and folders

    def _file_system(self):
        if not self.container.has_folders:
            raise Refusal(400, "HierarchicalNamespaceNotEnabled", "Hierarchical namespace is not enabled.")
        if not self.name:
            return self._list_paths() if self.command == "GET" else self.answer(200)
        if self.command in ("GET", "HEAD"):
            return self._read()
        if self.command == "DELETE":
            return self._delete_path()
        if self.command == "PATCH":
            return self._patch()
        self._require_condition()
        if "x-ms-rename-source" in self.headers:
            return self._rename()
        if self.query.get("resource") == "directory":
            if not (self.present and self.present.is_folder):
                self.container.make_parents(self.name + "/x")
            return self.answer(201)
        if self.body.length or self.query.get("resource") != "file":
            raise Refusal(400, "InvalidQueryParameterValue", "resource")
        self.container.appended.pop(self.name, None)
        return self.answer(201, headers=self._store(Bytes(), None))

    def _rename(self):
        source = urllib.parse.unquote(self.headers["x-ms-rename-source"].split("?")[0])
        _, container, old = source.split("/", 2)
        moved = self.server.containers[container].objects.get(old)
        if not moved:
            raise Refusal(404, "SourcePathNotFound", "The source path for a rename operation does not exist.")
        if not self.container.has_folder(self.container.parent(self.name)):
            code = "RenameDestinationParentPathNotFound"
            raise Refusal(404, code, "The parent directory of the destination path does not exist.")
        self.container.objects[self.name] = moved
        del self.server.containers[container].objects[old]
        self.answer(201)

    def _patch(self):
        if not self.present:
            raise Refusal(404, "PathNotFound", "The specified path does not exist.")
        appended = self.container.appended.setdefault(self.name, {})
        position = int(self.query.get("position", "-1"))
        if self.query.get("action") == "append":
            if not self.body.length or position < 0:
                raise Refusal(400, "InvalidHeaderValue", "Content-Length")
            appended[position] = self.body
            return self.answer(202)
        whole = Bytes()
        whole.append_all(self.present.body)
        while whole.length in appended:
            whole.append_all(appended[whole.length])
        if position != whole.length:
            raise Refusal(400, "InvalidFlushPosition", "The uploaded data is not contiguous.")
        self.container.appended.pop(self.name)
        return self.answer(200, headers=self._store(whole, self.headers.get("x-ms-content-md5")))

    def _delete_path(self):
        if not self.present:
            raise Refusal(404, "PathNotFound", "The specified path does not exist.")
        below = [name for name in self.container.objects if name.startswith(self.name + "/")]
        if below and self.query.get("recursive") != "true":
            raise Refusal(409, "DirectoryNotEmpty", "The recursive query parameter must be true.")
        for name in [self.name, *below]:
            del self.container.objects[name]
        return self.answer(200)

    def _list_paths(self):
        folder = self.query.get("directory", "").strip("/")
        if not self.container.has_folder(folder):
            raise Refusal(404, "PathNotFound", "The specified path does not exist.")
        start, limit = folder + "/" if folder else "", self.page_limit(self.query.get("maxresults"))
        after = self.query.get("continuation", "")
        recursive = self.query.get("recursive") == "true"
        names = [
            name for name in sorted(self.container.objects)
            if name.startswith(start) and name > after and (recursive or "/" not in name[len(start) :])
        ]  # fmt: skip
        paths = []
        for name in names[:limit]:
            stored = self.container.objects[name]
            path = {"name": name, "contentLength": str(stored.body.length), "etag": f"0x{stored.version:X}"}
            path["lastModified"] = self.date_time_string(stored.modified)
            paths.append({**path, "isDirectory": "true"} if stored.is_folder else path)
        following = names[limit - 1] if len(names) > limit else None
        self.answer(200, {"paths": paths}, {"x-ms-continuation": following})


def main():
    options = argument_parser(__doc__).parse_args()
    server = Server(AzureHandler, options)
    server.containers = {"weir": Container(False), "weirfs": Container(True)}
    run(server)


if __name__ == "__main__":
    main()
