"""The agent's end of the link, played in Python: written from yamux's specification and agent/wire/hello.h, with no code of theirs.

    with AgentPeer() as peer:
        peer.address                # "127.0.0.1:PORT": a TCP carrier
        peer.attach_port            # the same behind a line CAUSEWAY/1, for a stand-in of attach
        peer.cut()                  # every carrier, now
        peer.wait(lambda: ...)      # until a condition on what was recorded holds

What it does with a stream of channel engine is said by the client's first line:
    echo        sends everything back, also this line, and ends when the client ends
    half        answers "half" and FIN, then waits for the client's end and records it
    wait        answers nothing, and records the client's end
    close       answers "bye", FIN and RST
    abort       answers "some" and RST without FIN
    source N    sends N bytes of a pattern, FIN and RST
    stall       reads nothing more

`hello` says how it greets: ok, silent (until release()), half, garbage, stale (another nonce), old (another version), refuse.
"""

import asyncio
import contextlib
import json
import struct
import threading

from repository import VERSION

HELLO = struct.Struct("!8sHHBBHII16s16s")
FRAME = struct.Struct("!BBHII")
DATA, WINDOW, PING, GO_AWAY = range(4)
SYN, ACK, FIN, RST = 1, 2, 4, 8
WINDOW_SIZE = 256 * 1024
ENGINE, CONTROL, DISTRO_START = 1, 2, 3


def pattern(size, start=0):
    block = bytes(range(256)) * 256
    whole = block * (size // len(block) + 2)
    return whole[start % 256:start % 256 + size]


class Stream:
    def __init__(self, session, number):
        self.session, self.number = session, number
        self.window = WINDOW_SIZE  # of ours, to send
        self.opened = asyncio.Event()
        self.received = asyncio.Queue()
        self.fin = self.rst = False
        self.over = False

    async def read(self):
        """The next bytes, which opens the window again; b"" at the end of either kind."""
        piece = await self.received.get()
        if piece:
            self.session.frame(WINDOW, 0, self.number, len(piece))
        return piece

    async def line(self):
        have = b""
        while b"\n" not in have:
            piece = await self.read()
            if not piece:
                break
            have += piece
        return have

    async def write(self, data):
        while data and not self.rst:
            if self.window == 0:
                self.opened.clear()
                await self.opened.wait()
                continue
            part = data[:min(self.window, 32 * 1024)]
            data = data[len(part):]
            self.window -= len(part)
            await self.session.drained()
            self.session.frame(DATA, 0, self.number, len(part), part)

    def flags(self, flags):
        self.session.frame(WINDOW, flags, self.number, 0)

    def close(self):
        self.flags(FIN)
        if not self.fin:
            self.flags(RST)


class Session:
    """One carrier: hello, then yamux as its server."""

    def __init__(self, peer, reader, writer):
        self.peer, self.reader, self.writer = peer, reader, writer
        self.streams = {}
        self.next_own = 2
        self.tasks = set()
        self.out_left, self.in_left = peer.cuts.pop(0) if peer.cuts else (None, None)
        peer.recorded("carriers", self)

    def put(self, data):
        if self.writer.is_closing() or self.peer.mute:
            return
        if self.out_left is not None and len(data) >= self.out_left:
            self.writer.write(data[:self.out_left])
            self.writer.close()
            return
        if self.out_left is not None:
            self.out_left -= len(data)
        self.writer.write(data)

    async def get(self, size):
        if self.in_left is not None:
            if size >= self.in_left:
                await self.reader.readexactly(self.in_left)
                self.writer.transport.abort()
                raise ConnectionAbortedError
            self.in_left -= size
        return await self.reader.readexactly(size)

    def frame(self, kind, flags, stream, length, body=b""):
        self.peer.sent += len(body)
        self.put(FRAME.pack(0, kind, flags, stream, length) + body)

    async def drained(self):
        await self.writer.drain()

    def task(self, coroutine):
        async def quiet():
            with contextlib.suppress(ConnectionError):  # the carrier was cut
                await coroutine

        task = asyncio.ensure_future(quiet())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def run(self):
        try:
            if await self.hello():
                self.peer.recorded("links", self)
                await self.frames()
        except (ConnectionError, asyncio.IncompleteReadError, OSError):
            pass
        finally:
            for stream in self.streams.values():
                stream.rst = True
                stream.received.put_nowait(b"")
                stream.opened.set()
            self.streams.clear()
            self.writer.close()

    async def hello(self):
        peer = self.peer
        magic, major, minor, role, _, _, _, _, nonce, expected = HELLO.unpack(await self.get(HELLO.size))
        assert (magic, major, minor, role) == (b"CAUSEWAY", 1, 0, 1), (magic, major, minor, role)
        peer.recorded("hellos", expected.hex())
        own, refusal = peer.nonce, b""
        if peer.hello == "silent":
            await peer.released.wait()
        if peer.hello == "half":
            self.writer.write(b"CAUSEWAY\x00\x01\x00\x00\x02")
            await self.reader.read()
            return False
        if peer.hello == "garbage":
            self.writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" + bytes(64))
            await self.reader.read()
            return False
        if peer.hello == "stale":
            own = bytes(16)
        if peer.hello == "old":
            major = 7
        if peer.hello == "refuse":
            refusal = "the agent ends".encode()
        self.put(HELLO.pack(b"CAUSEWAY", major, 0, 2, 0, len(refusal), 0, 0, own, nonce) + refusal)
        return peer.hello in ("ok", "silent")

    async def frames(self):
        while True:
            version, kind, flags, number, length = FRAME.unpack(await self.get(FRAME.size))
            assert version == 0 and kind <= GO_AWAY, (version, kind)
            if kind == PING:
                self.peer.recorded("pings", length)
                if flags & SYN:
                    self.frame(PING, ACK, 0, length)
                continue
            if kind == GO_AWAY:
                self.peer.recorded("farewells", length)
                continue
            body = await self.get(length) if kind == DATA else b""
            if flags & SYN:
                stream = self.streams[number] = Stream(self, number)
                self.frame(WINDOW, ACK, number, 0)
                self.task(self.serve(stream))
            stream = self.streams.get(number)
            if stream is None:
                continue
            if kind == WINDOW:
                stream.window += length
                stream.opened.set()
            if body:
                stream.received.put_nowait(body)
            if flags & FIN:
                stream.fin = True
                stream.received.put_nowait(b"")
            if flags & RST:
                stream.rst = True
                stream.received.put_nowait(b"")
                stream.opened.set()
                del self.streams[number]

    async def serve(self, stream):
        first = await stream.read()
        channel, rest = first[0], first[1:]
        if channel == CONTROL:
            return await self.control(stream, rest)
        while b"\n" not in rest:
            piece = await stream.read()
            if not piece:
                break
            rest += piece
        self.peer.recorded("engine", stream)
        word, _, argument = rest.split(b"\n")[0].partition(b" ")
        if word in (b"half", b"wait"):
            if word == b"half":
                await stream.write(b"half")
                stream.flags(FIN)
            while await stream.read():
                pass
        elif word == b"close":
            await stream.write(b"bye")
            stream.close()
        elif word == b"abort":
            await stream.write(b"some")
            stream.flags(RST)
        elif word == b"source":
            left, at = int(argument), 0
            while left and not stream.rst:
                part = min(left, 64 * 1024)
                await stream.write(pattern(part, at))
                left, at = left - part, at + part
            stream.close()
        elif word == b"stall":
            await asyncio.Event().wait()
        else:
            await stream.write(rest)
            while not stream.fin or not stream.received.empty():
                piece = await stream.read()
                if not piece:
                    break
                await stream.write(piece)
            if not stream.rst:
                stream.flags(FIN)
        self.peer.recorded("ends", "rst behind fin" if stream.fin and stream.rst else "rst" if stream.rst else "fin" if stream.fin else "own")

    async def control(self, stream, have):
        while b"\r\n\r\n" not in have:
            have += await stream.read()
        head, _, body = have.partition(b"\r\n\r\n")
        length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0)
        while len(body) < length:
            body += await stream.read()
        request = head.split(b"\r\n")[0].decode()
        self.peer.recorded("control", (request, body.decode()))
        answer = b'{"stepped":true,"offset_ms":1500}' if "/v1/clock" in request else b'{"seen":"%s"}' % request.encode()
        await stream.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(answer) + answer)
        stream.close()

    async def ask(self, channel, line):
        number, self.next_own = self.next_own, self.next_own + 2
        stream = self.streams[number] = Stream(self, number)
        body = bytes([channel]) + line
        self.frame(DATA, SYN, number, len(body), body)
        return (await stream.line()).decode()


class AgentPeer:
    def __init__(self, *, vm_id="", port=0, nonce=bytes(range(16)), hello="ok"):
        self.vm_id, self.port, self.nonce, self.hello = vm_id, port, nonce, hello
        self.line = None  # bytes instead of the line
        self.mute = False  # reads, and says nothing
        self.cuts = []  # (to the shim, from the shim): after how many bytes a carrier ends; each new one takes the first
        self.sent = 0  # bytes of streams
        self.accepting = True
        self.changed = threading.Condition()
        self.records = {name: [] for name in ("carriers", "links", "hellos", "pings", "farewells", "engine", "ends", "control", "attached")}
        self.sessions = set()

    def recorded(self, name, value):
        with self.changed:
            self.records[name].append(value)
            self.changed.notify_all()

    def wait(self, condition, timeout=20):
        with self.changed:
            assert self.changed.wait_for(condition, timeout), self.records

    def __enter__(self):
        self.loop = asyncio.new_event_loop()
        started = threading.Event()

        def run():
            asyncio.set_event_loop(self.loop)
            self.loop.run_until_complete(self._listen())
            started.set()
            self.loop.run_forever()

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()
        assert started.wait(10)
        return self

    def __exit__(self, *_):
        self.cut()
        asyncio.run_coroutine_threadsafe(self._end(), self.loop)
        self.thread.join(10)
        self.loop.close()

    async def _listen(self):
        self.released = asyncio.Event()
        direct = await asyncio.start_server(lambda r, w: self._accept(r, w, False), "127.0.0.1", 0)
        attach = await asyncio.start_server(lambda r, w: self._accept(r, w, True), "127.0.0.1", 0)
        self.address = "127.0.0.1:%d" % direct.sockets[0].getsockname()[1]
        self.attach_port = attach.sockets[0].getsockname()[1]

    async def _end(self):
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.loop.stop()

    async def _accept(self, reader, writer, attach):
        if attach:
            self.recorded("attached", writer)
            line = {"version": VERSION, "major": 1, "vm_id": self.vm_id, "port": self.port, "nonce": self.nonce.hex()}
            writer.write(self.line if self.line is not None else b"CAUSEWAY/1 " + json.dumps(line).encode() + b"\n")
        elif not self.accepting:
            writer.transport.abort()
            return
        session = Session(self, reader, writer)
        self.sessions.add(session)
        await session.run()
        with self.changed:
            self.sessions.discard(session)
            self.changed.notify_all()

    def _in_loop(self, function):
        done = threading.Event()

        def call():
            function()
            done.set()

        self.loop.call_soon_threadsafe(call)
        assert done.wait(10)

    def release(self):
        """Lets the silent say hello after all."""
        self._in_loop(self.released.set)

    def cut(self):
        """Ends every carrier without a word, as a VM that is gone."""
        self._in_loop(lambda: [session.writer.transport.abort() for session in list(self.sessions)])

    def end_attach(self):
        """Ends what attach's stand-ins are connected to, and no other carrier."""
        self._in_loop(lambda: [writer.transport.abort() for writer in self.records["attached"]])

    def ask(self, channel, line):
        """Opens a stream to the shim; the line it answers."""
        session = self.records["links"][-1]
        return asyncio.run_coroutine_threadsafe(session.ask(channel, line), self.loop).result(20)
