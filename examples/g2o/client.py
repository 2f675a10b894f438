"""Prints what the game server says: python3 examples/g2o/client.py [url]

It needs the package websockets. Against the program in the module's own document there are two corrections: the port is
that of g2ows.json, and asyncio.run starts it, for asyncio has no run_until_complete. And it ends when the server does.
"""

import asyncio
import sys

import websockets


async def listen_websocket(uri):
    async with websockets.connect(uri) as websocket:
        async for message in websocket:
            print(message, flush=True)


if __name__ == "__main__":
    WS_URI = sys.argv[1] if len(sys.argv) > 1 else "ws://localhost:8080"
    asyncio.run(listen_websocket(WS_URI))
