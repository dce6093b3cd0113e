"""An S3 server (moto) that notes the parts it takes: s3.py HOST PORT FOLDER.

Each part goes into FOLDER/parts when it is taken. While there is FOLDER/hold, only the first two parts
of an upload are taken: the rest waits, and is refused when the file is gone.
"""

import os
import sys
import threading
import time

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

host, port, folder = sys.argv[1:]
moto = DomainDispatcherApplication(create_backend_app)
lock = threading.Lock()


def part_of(environ):
    query = environ.get("QUERY_STRING", "")
    return query if environ["REQUEST_METHOD"] == "PUT" and "partNumber=" in query else None


def server(environ, respond):
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


run_simple(host, int(port), server, threaded=True)
