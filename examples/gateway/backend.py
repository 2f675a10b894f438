#!/usr/bin/env python3
"""A backend that has never heard of WebSockets: answers lines in capitals on a UNIX socket (gateway: framing 'line')."""

import os
import socketserver
import sys


class Upper(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line.upper())


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


if __name__ == "__main__":
    with Server(sys.argv[1], Upper) as server:
        print("ready", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass
        finally:
            # Nobody could listen here again.
            os.unlink(sys.argv[1])
