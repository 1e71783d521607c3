"""The example server, run in a thread of the tests."""

import contextlib
import socket
import threading
import time

import uvicorn

from fhir_examples.server import create_server


@contextlib.contextmanager
def example_server(now):
    """Gives its base URL; stopped at the end."""
    with socket.create_server(("127.0.0.1", 0)) as plug:
        config = uvicorn.Config(create_server(now), log_level="warning", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([plug],), daemon=True)
        thread.start()
        deadline = time.monotonic() + 10
        while not server.started:
            assert time.monotonic() < deadline, "the example server did not start"
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{plug.getsockname()[1]}/fhir"
        finally:
            server.should_exit = True
            thread.join(10)
