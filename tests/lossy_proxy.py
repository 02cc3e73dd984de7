"""A small proxy before an HTTP server, which refuses, hangs, is busy, dawdles, or cuts answers in the middle."""

import contextlib
import socket
import threading
import time

BUSY = b"HTTP/1.1 %s\r\nRetry-After: 3600\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
ANSWERS = {"503": BUSY % b"503 Service Unavailable", "429": BUSY % b"429 Too Many Requests"}
MODES = ("slow", "hang", "refuse", "503", "429", "cut")


class LossyProxy:
    """Listens on `port` and passes everything to `server`, a port of this machine, until `become` says otherwise.

    When slow it passes a request on after so many seconds, even if nobody waits for the answer any more.
    """

    def __init__(self, server, slow_seconds):
        self._server, self._slow, self._mode, self.port, self._open = server, slow_seconds, "refuse", 0, []
        self.become("pass")

    def become(self, mode):
        """Treat what comes from now on in this mode; connections of before are cut."""
        was, self._mode = self._mode, mode
        if mode == "refuse" and was != "refuse":
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes who waits in accept, which closing alone does not
            self._listener.close()
        elif was == "refuse" and mode != "refuse":
            self._listen()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def close(self):
        """Let nobody in any more."""
        self.become("refuse")

    def _listen(self):
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener):
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = listener.accept()
                self._open.append(client)
                threading.Thread(target=self._treat, args=(client, self._mode), daemon=True).start()

    def _treat(self, client, mode):
        with contextlib.suppress(OSError), client:
            request = client.recv(65536)
            if mode == "hang":
                time.sleep(60)
            elif mode in ANSWERS:
                client.sendall(ANSWERS[mode])
            elif request:
                time.sleep(self._slow if mode == "slow" else 0)
                self._pass(request, client, mode)

    def _pass(self, request, client, mode):
        with socket.create_connection(("127.0.0.1", self._server)) as server:
            server.sendall(request)
            threading.Thread(target=self._pump, args=(client, server), daemon=True).start()
            while answer := server.recv(65536):
                if mode == "cut" and b"\r\n\r\n" in answer:
                    client.sendall(answer[: answer.index(b"\r\n\r\n") + 5])
                    return
                client.sendall(answer)

    def _pump(self, client, server):
        with contextlib.suppress(OSError):
            while more := client.recv(65536):
                server.sendall(more)
            server.shutdown(socket.SHUT_WR)
