"""Makes a bucket with nothing but the standard library: s3_make_bucket.py ENDPOINT BUCKET.

Keys come from S3_ACCESS_KEY and S3_SECRET_KEY. An independent SigV4 beside weir's own.
"""

import datetime
import hashlib
import hmac
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

endpoint, bucket = sys.argv[1:]
access_key, secret_key = os.environ["S3_ACCESS_KEY"], os.environ["S3_SECRET_KEY"]
region = "us-east-1"
now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
payload = hashlib.sha256(b"").hexdigest()
headers = {
    "host": urllib.parse.urlsplit(endpoint).netloc,
    "x-amz-content-sha256": payload,
    "x-amz-date": now,
}
signed = ";".join(headers)
lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
canonical = f"PUT\n/{bucket}\n\n{lines}\n{signed}\n{payload}"
scope = f"{now[:8]}/{region}/s3/aws4_request"
text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
key = ("AWS4" + secret_key).encode()
for part in scope.split("/"):
    key = hmac.new(key, part.encode(), hashlib.sha256).digest()
signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
headers["Authorization"] = (
    f"AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={signed}, Signature={signature}"
)
request = urllib.request.Request(f"{endpoint}/{bucket}", method="PUT", headers=headers)
try:
    urllib.request.urlopen(request, timeout=30)
except urllib.error.HTTPError as error:
    sys.exit(f"making the bucket {bucket}: {error.code} {error.read(300)!r}")
