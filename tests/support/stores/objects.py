"""An object store (moto) that records the parts of uploads: objects.py HOST PORT FOLDER.

It serves the XML API that S3 and Google's store have in common. For Google's, it verifies the tokens and signatures of
the service account whose key it writes to FOLDER/key.json. FOLDER/parts has a line for each accepted part. While
FOLDER/hold exists, only the first two parts of an upload are accepted; the others wait, and are refused once the file
is deleted.
"""

import base64
import hashlib
import json
import os
import sys
import threading
import time
from urllib.parse import parse_qs

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

host, port, folder = sys.argv[1:]
moto = DomainDispatcherApplication(create_backend_app)
lock = threading.Lock()
account = "tests@project.iam.gserviceaccount.com"
key = rsa.generate_private_key(65537, 2048)


def write_key():
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    content = {
        "type": "service_account",
        "client_email": account,
        "private_key_id": "1",
        "private_key": pem.decode(),
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    with open(os.path.join(folder, "key.json"), "w") as file:
        json.dump(content, file)


def verify(signature, text):
    key.public_key().verify(signature, text.encode(), padding.PKCS1v15(), hashes.SHA256())


def from_base64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def verify_token(token):
    """A self-signed token of the account, as of https://developers.google.com/identity/protocols/oauth2/service-account."""
    text, signature = token.rsplit(".", 1)
    verify(from_base64(signature), text)
    claims = json.loads(from_base64(text.split(".")[1]))
    assert claims["iss"] == account and claims["exp"] > time.time() and "/auth/cloud-platform" in claims["scope"], claims


def verify_address(environ, query):
    """A V4 signature, as of https://cloud.google.com/storage/docs/authentication/canonical-requests. The signed
    host is Google's, whichever receives the request."""
    signed = "&".join(sorted(part for part in environ["QUERY_STRING"].split("&") if "X-Goog-Signature=" not in part))
    path = environ["RAW_URI"].split("?")[0]
    host = "storage.googleapis.com"
    request = f"{environ['REQUEST_METHOD']}\n{path}\n{signed}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
    scope = query["X-Goog-Credential"][0].split("/", 1)[1]
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = f"GOOG4-RSA-SHA256\n{query['X-Goog-Date'][0]}\n{scope}\n{digest}"
    verify(bytes.fromhex(query["X-Goog-Signature"][0]), text)


def admit_google(environ):
    token = environ.get("HTTP_AUTHORIZATION", "")
    query = parse_qs(environ["QUERY_STRING"])
    if token.startswith("Bearer "):
        verify_token(token.removeprefix("Bearer "))
        del environ["HTTP_AUTHORIZATION"]
    elif "X-Goog-Signature" in query:
        verify_address(environ, query)
        environ["QUERY_STRING"] = ""


def admit_amazon(environ):
    """Signed requests must have the only access key. moto does not verify the signature."""
    authorization = environ.get("HTTP_AUTHORIZATION", "")
    assert not authorization.startswith("AWS4") or "Credential=key/" in authorization, "InvalidAccessKeyId"


def part_of(environ):
    query = environ.get("QUERY_STRING", "")
    return query if environ["REQUEST_METHOD"] == "PUT" and "partNumber=" in query else None


def server(environ, respond):
    try:
        admit_google(environ)
        admit_amazon(environ)
    except (AssertionError, InvalidSignature, LookupError, ValueError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        respond("403 Forbidden", [])
        return [f"{type(error).__name__}: {error}".encode()]
    part = part_of(environ)
    if part is None:
        return moto(environ, respond)
    hold = os.path.join(folder, "hold")
    number = int(part.split("partNumber=")[1].split("&")[0])
    if os.path.exists(hold) and number > 2:
        while os.path.exists(hold):
            time.sleep(0.05)
        respond("503 Slow Down", [])
        return [b""]
    answer = list(moto(environ, respond))
    with lock, open(os.path.join(folder, "parts"), "a") as parts:
        parts.write(part + "\n")
    return answer


write_key()
run_simple(host, int(port), server, threaded=True)
