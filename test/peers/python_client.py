"""The client program of the game server's users, and the rest that python's websockets can do, against our server."""

import asyncio
import sys

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

SIZES = [0, 1, 125, 126, 65535, 65536, 1048576, 16777216]
passed = 0
failed = 0


def check(name, good):
    global passed, failed
    passed, failed = (passed + 1, failed) if good else (passed, failed + 1)
    print(("ok " if good else "NOT OK ") + name, flush=True)


def text_of(size):
    return "aé€\U0001f600" * (size // 10) + "x" * (size % 10)


# What the connections offer: nothing at first, then permessage-deflate in several ways.
offers = []


def connect(url):
    return websockets.connect(url, max_size=None, compression=None, extensions=offers or None, ping_interval=None)


async def exchange(url):
    async with connect(url + "/echo") as ws:
        check("the offer is taken", bool(ws.response.headers.get("Sec-WebSocket-Extensions") if hasattr(ws, "response") else ws.response_headers.get("Sec-WebSocket-Extensions")) == bool(offers))
        for size in SIZES:
            data = bytes((i * 31) & 255 for i in range(min(size, 4096))) * (size // 4096 if size > 4096 else 1)
            await ws.send(data)
            check(f"binary of {len(data)} bytes", await ws.recv() == data)
            text = text_of(size)
            await ws.send(text)
            check(f"text of {size} bytes", await ws.recv() == text)
        await ws.send(["in ", "three ", "fragments"])
        check("fragments from python", await ws.recv() == "in three fragments")
        await ws.send([b"\x00\x01", b"", b"\x02"])
        check("binary fragments from python", await ws.recv() == b"\x00\x01\x02")
        pong = await ws.ping(b"from python")
        await asyncio.wait_for(pong, 10)
        check("a pong from us", True)
        await ws.send("fragment me")
        check("fragments from us", await ws.recv() == "fragment me")
        await ws.send("ping me")
        check("our ping is answered", (await ws.recv()).startswith("latency "))
        await ws.close(3001, "bye")
        check("close from python", ws.close_code == 3001)
    async with connect(url + "/echo") as ws:
        await ws.send("close me")
        try:
            await ws.recv()
            check("close from us", False)
        except websockets.ConnectionClosed as end:
            check("close from us", end.rcvd.code == 4001 and end.rcvd.reason == "as asked")


async def greeting(url):
    # The sample client of the game server: connect, hear the greeting, send, hear the broadcast.
    async with connect(url + "/game") as first, connect(url + "/game") as second:
        check("greeting", (await first.recv()).startswith("Hello, ws://127.0.0.1:"))
        check("greeting of the second", (await second.recv()).startswith("Hello, ws://127.0.0.1:"))
        await first.send("Hello from python!")
        check("broadcast to the sender", await first.recv() == "Hello from python!")
        check("broadcast to the other", await second.recv() == "Hello from python!")


async def main(url):
    global offers
    for terms in [
        None,
        {},
        {"client_max_window_bits": True},
        {"server_max_window_bits": 10, "client_max_window_bits": 11},
        {"server_no_context_takeover": True, "client_no_context_takeover": True},
    ]:
        print(f"offering {'nothing' if terms is None else terms or 'permessage-deflate'}")
        offers = [] if terms is None else [ClientPerMessageDeflateFactory(**terms)]
        await exchange(url)
        await greeting(url)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(asyncio.run(main(sys.argv[1])))
