#!/usr/bin/env python3
"""What the live view costs with many flows, and how soon a key shows.

Needs root on Linux: it makes a network namespace with a veth pair, sends one datagram a
second in each of FLOWS flows (to 100 ports of this host, from 1,000 addresses), and drives
the live view in a pseudo-terminal of 120x40.

    benches/compare/live.py target/release/flowner 5000 10000 100000

CPU is that of the whole process, capturing included, while nobody types, in per cent of
one core. A key's time is from writing it to the terminal until what it brings is read from
there, of 40 presses at all times between two looks: median and worst.
"""

import os
import pty
import random
import select
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time
import fcntl
import termios

PORTS, ADDRESSES, PRESSES, IDLE = 100, 1000, 40, 10.0
SPACE, NEAR, FAR = "flowner-live", "fl-near", "fl-far"


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def stage():
    subprocess.run(["ip", "netns", "del", SPACE], stderr=subprocess.DEVNULL)
    subprocess.run(["ip", "link", "del", NEAR], stderr=subprocess.DEVNULL)
    run("ip", "netns", "add", SPACE)
    run("ip", "link", "add", NEAR, "type", "veth", "peer", "name", FAR, "netns", SPACE)
    run("ip", "addr", "add", "10.99.0.1/16", "dev", NEAR)
    run("ip", "link", "set", NEAR, "up")
    run("ip", "-n", SPACE, "link", "set", FAR, "up")
    mac = open(f"/sys/class/net/{NEAR}/address").read().strip()
    return bytes.fromhex(mac.replace(":", ""))


def frame(mac, number):
    """An Ethernet frame with a datagram, of the flow with this number."""
    data = b"x" * 64
    address = 2 + number % ADDRESSES
    source = bytes([10, 99, 1 + address // 250, 1 + address % 250])
    udp = struct.pack("!4H", 10000 + number // ADDRESSES % 50000, 9000 + number % PORTS, 8 + len(data), 0)
    head = struct.pack("!2B3H2BH4s4s", 0x45, 0, 28 + len(data), 0, 0, 64, 17, 0, source, bytes([10, 99, 0, 1]))
    words = sum(struct.unpack("!10H", head))
    words = (words & 0xFFFF) + (words >> 16)
    words = ~((words & 0xFFFF) + (words >> 16)) & 0xFFFF
    head = head[:10] + struct.pack("!H", words) + head[12:]
    return mac + b"\x02\0\0\0\0\x01" + b"\x08\0" + head + udp + data


def send(mac, flows):
    """One frame of each flow a second, in another network; forever."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    handle = os.open(f"/run/netns/{SPACE}", os.O_RDONLY)
    assert libc.setns(handle, 0) == 0, "the namespace cannot be entered"
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    out.bind((FAR, 0))
    frames = [frame(mac, number) for number in range(flows)]
    begun = time.monotonic()
    sent = 0
    while True:
        due = int((time.monotonic() - begun) * flows)
        while sent < due:
            out.send(frames[sent % flows])
            sent += 1
        time.sleep(0.002)


class View:
    """The live view in a pseudo-terminal."""

    def __init__(self, program, arguments):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "xterm-256color"
            os.environ["FLOWNER_CONFIG"] = "/dev/null"
            os.execv(program, [program, *arguments])
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("4H", 40, 120, 0, 0))
        self.read = bytearray()
        self.news = threading.Condition()
        threading.Thread(target=self.follow, daemon=True).start()

    def follow(self):
        while True:
            try:
                data = os.read(self.terminal, 1 << 16)
            except OSError:
                return
            with self.news:
                self.read += data
                self.news.notify_all()

    def press(self, key, brings):
        """Seconds until what it brings is there."""
        with self.news:
            self.read.clear()
            begun = time.monotonic()
            os.write(self.terminal, key.encode())
            if not self.news.wait_for(lambda: brings in self.read, 20):
                sys.exit(f"{key!r} did not bring {brings!r}: {bytes(self.read[-500:])!r}")
            return time.monotonic() - begun

    def cpu(self):
        fields = open(f"/proc/{self.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def threads(self):
        times = {}
        for task in os.listdir(f"/proc/{self.pid}/task"):
            fields = open(f"/proc/{self.pid}/task/{task}/stat").read()
            name = fields[fields.index("(") + 1 : fields.rindex(")")]
            fields = fields.rsplit(")", 1)[1].split()
            times[name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return times

    def memory(self):
        lines = open(f"/proc/{self.pid}/status").read().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

    def end(self):
        os.write(self.terminal, b"q")
        os.waitpid(self.pid, 0)


def measure(program, mac, flows):
    sender = subprocess.Popen([sys.executable, __file__, "--send", mac.hex(), str(flows)])
    view = View(program, ["-i", NEAR])
    try:
        time.sleep(12)
        for tab, keys in [("1", "Programs"), ("2", "Flows")]:
            os.write(view.terminal, tab.encode())
            time.sleep(3)
            before, names = view.cpu(), view.threads()
            time.sleep(IDLE)
            busy = (view.cpu() - before) / IDLE * 100
            parts = {name: (end - names.get(name, 0)) / IDLE * 100 for name, end in view.threads().items()}
            times = {"help": [], "sort": [], "details": []}
            for _ in range(PRESSES):
                for name, key, brings, back in [
                    ("help", "?", b" Keys ", "?"),
                    ("sort", "s", "▼".encode(), "S"),
                    ("details", "d", b" Details ", "d"),
                ]:
                    time.sleep(random.uniform(0.03, 0.1))
                    times[name].append(view.press(key, brings) * 1000)
                    time.sleep(0.03)
                    os.write(view.terminal, back.encode())
            shown = "  ".join(
                f"{name} {statistics.median(them):.1f}/{max(them):.0f} ms" for name, them in times.items()
            )
            most = ", ".join(f"{name} {part:.1f}" for name, part in sorted(parts.items(), key=lambda it: -it[1])[:4])
            print(f"{flows:>7} flows  {keys:<8}  CPU {busy:5.1f} %  keys {shown}  {view.memory() // 1024} MiB  ({most})", flush=True)
        view.end()
    finally:
        sender.kill()
        sender.wait()


def serve(first):
    """Takes what comes to ten ports; forever."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(10)]
    for place, server in enumerate(sockets):
        server.bind(("10.99.0.1", first + place))
    time.sleep(1e6)


def main():
    if sys.argv[1] == "--serve":
        return serve(int(sys.argv[2]))
    if sys.argv[1] == "--send":
        return send(bytes.fromhex(sys.argv[2]), int(sys.argv[3]))
    mac = stage()
    servers = [subprocess.Popen([sys.executable, __file__, "--serve", str(9000 + place)]) for place in range(0, PORTS, 10)]
    try:
        for flows in sys.argv[2:]:
            measure(os.path.abspath(sys.argv[1]), mac, int(flows))
    finally:
        for server in servers:
            server.kill()
            server.wait()
        run("ip", "netns", "del", SPACE)


if __name__ == "__main__":
    main()
