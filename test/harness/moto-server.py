"""Runs moto's server on a free port until stdin closes, which also happens when the process that holds it dies."""

import os
import sys
import threading

from moto.server import main


def end_with_parent():
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=end_with_parent, daemon=True).start()
main(["--host", "127.0.0.1", "--port", "0"])
