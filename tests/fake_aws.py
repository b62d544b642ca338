"""Whether a request is signed as AWS wants it: botocore computes the signature anew and compares."""

import re

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ACCESS_KEY = "AKIDEXAMPLE"
ALWAYS_SIGNED = {"host", "x-amz-date", "content-type"}

_SHOWN = re.compile(r"AWS4-HMAC-SHA256 Credential=[^,]+, SignedHeaders=([^,]+), Signature=[0-9a-f]{64}")


def signature_of(request: AWSRequest, credentials: Credentials, region: str, service: str) -> str:
    """Return the ``Authorization`` header that botocore gives a request which says when it was signed."""
    request.context["timestamp"] = request.headers["x-amz-date"]
    auth = SigV4Auth(credentials, service, region)
    said = auth.string_to_sign(request, auth.canonical_request(request))
    auth._inject_signature_to_request(request, auth.signature(said, request))
    return request.headers["Authorization"]


def rightly_signed(
    method: str, path: str, headers: dict[str, str], body: bytes, *, secret: str, region: str, service: str
) -> bool:
    """Whether a request as it came in has the signature that it should have, over all that AWS wants signed."""
    found = _SHOWN.fullmatch(headers.get("authorization", ""))
    signed = set(found[1].split(";")) if found else set()
    wanted = ALWAYS_SIGNED | {name for name in headers if name.startswith("x-amz-")}
    if not wanted <= signed <= headers.keys():
        return False
    shown = {name: headers[name] for name in signed}
    anew = AWSRequest(method, f"http://{headers['host']}{path}", shown, body)
    return headers["authorization"] == signature_of(anew, Credentials(ACCESS_KEY, secret), region, service)
