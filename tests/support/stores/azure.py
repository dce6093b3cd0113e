"""Makes a container in the account that every Azurite has: azure.py ENDPOINT CONTAINER."""

import base64
import hashlib
import hmac
import sys
from email.utils import formatdate
from urllib.request import Request, urlopen

endpoint, container = sys.argv[1:]
account = "devstoreaccount1"
key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-12-02"}
lines = ["PUT", *[""] * 11, *(f"{name}:{value}" for name, value in headers.items())]
text = "\n".join([*lines, f"/{account}/{account}/{container}", "restype:container"])
signature = base64.b64encode(hmac.digest(base64.b64decode(key), text.encode(), hashlib.sha256)).decode()
headers["Authorization"] = f"SharedKey {account}:{signature}"
urlopen(Request(f"{endpoint}/{account}/{container}?restype=container", method="PUT", headers=headers)).close()
