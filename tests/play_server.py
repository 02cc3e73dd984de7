"""A program for tests: the page with two small models, or with a token only its guard, on a port that it prints."""

import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from hpsearch.play import bodies, server
from hpsearch.play.guard import Guard

HOSTILE = (
    "0", "<img src=x onerror=alert(1)>", "{{7*7}}", "3", "${alert(1)}", "</script><script>alert(1)</script>", "../up",
    "7", "\x1b[31m8", "nine" * 90,
)  # fmt: skip


@contextmanager
def playing(folder, *words):
    """This program in a process of its own; gives its port."""
    program = [sys.executable, __file__, str(folder), *words]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def main(folder, token):
    bodies.PATIENCE = server.HEAD_SECONDS = 1.0
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    hosts = frozenset({f"127.0.0.1:{port}", f"localhost:{port}"})
    print(port, flush=True)
    if token:
        server.serve(Guard(hello, hosts, token), listening)
        return
    from drawn import Neighbours

    from hpsearch.play.app import application, gradio_indoors
    from hpsearch.play.corrections import Corrections
    from hpsearch.play.reading import Readers
    from hpsearch.predict.looking import look

    models = (Neighbours(label=HOSTILE[1], class_names=HOSTILE), Neighbours(label="plain"))
    with gradio_indoors():
        server.serve(application(Readers(models, look), Corrections(Path(folder) / "corrections"), hosts), listening)


async def hello(scope, receive, send):
    if scope["type"] == "lifespan":
        for state in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{state}.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "")
