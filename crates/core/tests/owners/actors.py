"""Processes that hand sockets on, in the ways there are. Each says what it sent."""

import array
import ctypes
import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
import time

# This host, and where it is told otherwise by an act, a container's end of a link to it.
HERE = THERE = "127.0.0.1"
LIBC = ctypes.CDLL(None)


def is_called(name):
    LIBC.prctl(15, name.encode(), 0, 0, 0)


def said(count, size):
    """To be read by the test: who sent how much."""
    # At once, as others may say something at the same time.
    os.write(1, f"sent {os.getpid()} {count * size}\n".encode())


def process(name, run):
    """Starts a process that does something and exits at once."""
    pid = os.fork()
    if pid == 0:
        is_called(name)
        # None waits for ever for one that failed.
        signal.alarm(60)
        run()
        os._exit(0)
    return pid


def stays():
    """Until the test has seen enough: on a busy machine it may take its time to find anybody."""
    os.read(0, 1)
    time.sleep(0.3)


def sends(s, count, size, pause):
    for _ in range(count):
        s.send(b"x" * size)
        time.sleep(pause)
    said(count, size)


def udp(port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((THERE, port))
    s.connect((HERE, 7100))
    return s


def connection(kind):
    if kind == "udp":
        return udp(7200)
    s = socket.create_connection((HERE, 7100))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def reuse(kind, gap, pause):
    """Two processes, one after the other, from the same port; the first one is there when the
    other one starts, and closes."""
    go, gone = os.pipe(), os.pipe()

    def first():
        s = udp(7200)
        sends(s, 5, 100, pause)
        s.close()
        os.write(go[1], b"x")
        os.read(gone[0], 1)

    def second():
        os.read(go[0], 1)
        time.sleep(gap)
        sends(udp(7200), 40, 1000, pause)
        time.sleep(0.3)

    second = process("second", second)
    first = process("first", first)
    os.waitpid(second, 0)
    os.write(gone[1], b"x")
    os.waitpid(first, 0)


def passing(kind, pause):
    """A descriptor is sent to a process that was there before; the sender closes its own."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)

    def second():
        _, data, _, _ = theirs.recvmsg(1, socket.CMSG_SPACE(4))
        number = array.array("i", data[0][2])[0]
        s = socket.socket(fileno=number)
        sends(s, 40, 1000, pause)
        time.sleep(0.3)

    def first():
        s = connection(kind)
        sends(s, 5, 100, pause)
        right = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [s.fileno()]))
        ours.sendmsg([b"x"], [right])
        s.close()
        time.sleep(40 * pause + 0.5)

    second = process("second", second)
    time.sleep(0.1)
    first = process("first", first)
    os.waitpid(first, 0)
    os.waitpid(second, 0)


def passes(channel, s):
    """Sends a descriptor to the process at the other end of a channel, and keeps its own."""
    right = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [s.fileno()]))
    channel.sendmsg([b"x"], [right])


def receives(channel):
    _, data, _, _ = channel.recvmsg(1, socket.CMSG_SPACE(4))
    return socket.socket(fileno=array.array("i", data[0][2])[0])


def takes(pid, number):
    """Takes a copy of a descriptor of another process (pidfd_getfd(2))."""
    taken = LIBC.syscall(438, os.pidfd_open(pid), number, 0)
    assert taken >= 0, "pidfd_getfd"
    return socket.socket(fileno=taken)


def sharing(kind, way, pause):
    """A descriptor is passed on, in one of some ways, and all keep it. The second process, which was
    there before, sends most. (Where they take turns or there are three, each sends what it says.)"""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    further, last = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ready, done = os.pipe(), os.pipe()

    def keeps():
        # Until all have sent what they send.
        os.read(done[0], 1)
        time.sleep(0.3)

    def second():
        if way == "taken":
            pid, number = struct.unpack("ii", theirs.recv(8))
            s = takes(pid, number)
        elif way == "counted":
            # It has as many descriptors as before.
            old = [os.open("/dev/null", os.O_RDONLY) for _ in range(2)]
            theirs.send(b"x")
            time.sleep(0.3)
            os.close(old[1])
            s = receives(theirs)
        else:
            s = receives(theirs)
        if way == "turns":
            for _ in range(4):
                sends(s, 10, 1000, pause)
                theirs.send(b"x")
                theirs.recv(1)
        elif way == "three":
            sends(s, 20, 1000, pause)
            passes(further, s)
        elif way == "listener":
            s, _ = s.accept()
            sends(s, 40, 1000, pause)
        else:
            sends(s, 40, 1000, pause)
        os.close(done[1])
        keeps()

    def third():
        s = receives(last)
        os.close(done[1])
        sends(s, 20, 1000, pause)
        keeps()

    def first():
        if way == "listener":
            listener = socket.create_server((HERE, 7101))
            passes(ours, listener)
            time.sleep(0.3)
            os.write(ready[1], b"x")
            os.close(done[1])
            return keeps()
        if way == "accepted":
            listener = socket.create_server((HERE, 7101))
            os.write(ready[1], b"x")
            s, _ = listener.accept()
        else:
            s = connection(kind)
        sends(s, 5, 100, pause)
        if way == "taken":
            # It lets any process of its user do that (PR_SET_PTRACER_ANY).
            LIBC.prctl(0x59616D61, ctypes.c_ulong(-1), 0, 0, 0)
            ours.send(struct.pack("ii", os.getpid(), s.fileno()))
        elif way == "forked":
            process("second", lambda: (sends(s, 40, 1000, pause), os.close(done[1]), keeps()))
        else:
            if way == "counted":
                ours.recv(1)
            passes(ours, s)
        if way == "turns":
            for _ in range(4):
                ours.recv(1)
                sends(s, 5, 100, pause)
                ours.send(b"x")
        os.close(done[1])
        keeps()

    started = [] if way == "forked" else [process("second", second)]
    if way == "three":
        started.append(process("third", third))
    time.sleep(0.1)
    started.append(process("first", first))
    os.close(done[1])
    if way in ("accepted", "listener"):
        os.read(ready[0], 1)
        s = socket.create_connection((HERE, 7101))
        while s.recv(65536):
            pass
    for pid in started:
        os.waitpid(pid, 0)


def executing(kind, pause):
    """A process executes another program, which goes on with the socket."""

    def first():
        s = connection(kind)
        sends(s, 5, 100, pause)
        os.dup2(s.fileno(), 3)
        os.set_inheritable(3, True)
        script = """
            open(my $s, ">&=", 3);
            for (1..40) { syswrite($s, "x" x 1000); select(undef, undef, undef, $ARGV[0]); }
            select(undef, undef, undef, 0.3);
        """
        # By the name of the program, as it is the same process.
        print("sent perl 40000", flush=True)
        os.execv("/usr/bin/perl", ["perl", "-e", script, str(pause)])

    os.waitpid(process("first", first), 0)


def interpreting(kind, pause):
    """A process executes another program, which the same interpreter runs."""

    def first():
        s = connection(kind)
        sends(s, 5, 100, pause)
        os.set_inheritable(s.fileno(), True)
        script = f"""
import socket, time
s = socket.socket(fileno={s.fileno()})
for _ in range(40):
    s.send(b"x" * 1000)
    time.sleep({pause})
time.sleep(0.3)
"""
        # By an argument, as it is the same process with the same name.
        print("sent another 40000", flush=True)
        os.execv(sys.executable, [sys.executable, "-c", script, "who=another"])

    os.waitpid(process("python3", first), 0)


def elsewhere(kind, gap, pause):
    """As `reuse`, in a container that is linked to this host by the device `v0`."""
    global HERE, THERE
    # The host forwards what is sent to a host that takes all of it.
    HERE, THERE = "10.8.0.9", "10.9.0.2"
    ready, done = os.pipe(), os.pipe()
    holder = os.fork()
    if holder == 0:
        assert LIBC.unshare(0x40000000) == 0, "CLONE_NEWNET"
        os.write(ready[1], b"x")
        os.read(done[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    subprocess.run(["ip", "link", "set", "v1", "netns", str(holder)], check=True)
    enter = os.open(f"/proc/{holder}/ns/net", os.O_RDONLY)
    assert LIBC.setns(enter, 0x40000000) == 0, "setns"
    subprocess.run(["ip", "address", "add", "10.9.0.2/24", "dev", "v1"], check=True)
    subprocess.run(["ip", "link", "set", "v1", "up"], check=True)
    subprocess.run(["ip", "route", "add", "default", "via", "10.9.0.1"], check=True)
    reuse(kind, gap, pause)
    os.write(done[1], b"x")
    os.waitpid(holder, 0)


def leaving(kind, pause):
    """A process exits while its child keeps the socket."""

    def first():
        s = connection(kind)
        sends(s, 5, 100, pause)

        def second():
            sends(s, 40, 1000, pause)
            time.sleep(0.3)

        process("second", second)

    os.waitpid(process("first", first), 0)
    time.sleep(40 * pause + 0.6)


def forking(kind, pause):
    """A server accepts, starts a process for the connection, and closes its own descriptor."""
    listener = socket.create_server(("127.0.0.1", 7101))
    hears = os.pipe()

    def server():
        os.write(hears[1], b"x")
        s, _ = listener.accept()
        sends(s, 5, 100, pause)

        def second():
            sends(s, 40, 1000, pause)
            stays()

        process("second", second)
        s.close()
        stays()

    server = process("first", server)
    listener.close()
    os.read(hears[0], 1)
    s = socket.create_connection(("127.0.0.1", 7101))
    while s.recv(65536):
        pass
    os.waitpid(server, 0)


def many(kind, pause):
    """One socket, many peers."""

    def talks(size):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(("127.0.0.1", 7200))
        for _ in range(5):
            for peer in range(200):
                s.sendto(b"x" * size, ("127.0.0.1", 20000 + peer))
            time.sleep(pause)
        said(1000, size)
        time.sleep(0.3)

    os.waitpid(process("first", lambda: talks(100)), 0)
    os.waitpid(process("second", lambda: talks(1000)), 0)


def handing(kind, gap, stays):
    """A port changes hands within milliseconds: each of two processes sends one datagram."""

    def one(port, size, waits, tells, stays):
        def run():
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            os.read(waits, 1)
            s.bind(("127.0.0.1", port))
            s.sendto(b"x" * size, (HERE, 7100))
            if not stays:
                s.close()
            time.sleep(gap)
            os.write(tells, b"x")
            said(1, size)
            time.sleep(0.2)

        return run

    # What is closed before the kernel is asked to tell of it is not told.
    time.sleep(1)
    for port in range(7200, 7230):
        begin, go, end = os.pipe(), os.pipe(), os.pipe()
        both = [
            process("first", one(port, 100, begin[0], go[1], False)),
            process("second", one(port, 1000, go[0], end[1], stays)),
        ]
        os.write(begin[1], b"x")
        for pid in both:
            os.waitpid(pid, 0)
        for pipe in (begin, go, end):
            os.close(pipe[0])
            os.close(pipe[1])
    time.sleep(0.3)


def storming(kind, pause):
    """A process executes one program after the other; each sends once, and executes the next one."""
    script = """
        $^F = 3;
        my ($who, $left, $pause) = @ARGV;
        open(my $s, ">&=", 3);
        syswrite($s, "x" x ($who eq "who=a" ? 100 : 1000));
        select(undef, undef, undef, $pause) if $pause > 0;
        if ($left == 0) { select(undef, undef, undef, 0.3); exit; }
        exec("perl", "-e", $ENV{SCRIPT}, $who eq "who=a" ? "who=b" : "who=a", $left - 1, $pause);
    """

    def first():
        s = connection(kind)
        os.dup2(s.fileno(), 3)
        os.set_inheritable(3, True)
        if s.fileno() != 3:
            s.close()
        os.environ["SCRIPT"] = script
        os.execvp("perl", ["perl", "-e", script, "who=a", "199", str(pause)])

    for _ in range(2):
        os.waitpid(process("first", first), 0)
    # Two times a hundred of each.
    os.write(1, b"sent a 20000\nsent b 200000\n")


def at_once(kind, keeps, forks):
    """Processes that send once and execute another program at once, or start one that does. It sends
    nothing. It has the socket, unless execve closes it."""
    args = ["perl", "-e", "select(undef, undef, undef, 0.4)", "who=another"]
    started = []

    def sender():
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
        os.set_inheritable(s.fileno(), keeps)
        s.connect((HERE, 7100))
        s.send(b"x" * 100)
        if not forks:
            os.execv("/usr/bin/perl", args)
        os.posix_spawn("/usr/bin/perl", args, os.environ)
        s.close()
        time.sleep(0.5)

    for _ in range(40):
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            sender()
            os._exit(0)
        started.append(child)
        os.write(1, f"sent {child} 100\n".encode())
        time.sleep(0.02)
    for child in started:
        os.waitpid(child, 0)


def daemonising(kind, pause):
    """Processes that send once and go into the background as daemons do: a grandchild has the socket, and
    sends nothing."""
    started = []

    def sender():
        s = connection(kind) if kind == "tcp" else socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if kind == "udp":
            s.connect((HERE, 7100))
        s.send(b"x" * 100)
        time.sleep(pause)
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(0.5)

    for _ in range(80):
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            sender()
            os._exit(0)
        started.append(child)
        os.write(1, f"sent {child} 100\n".encode())
        time.sleep(0.02)
    for child in started:
        os.waitpid(child, 0)
    time.sleep(0.6)


def reopening(kind, gap, pause, is_reset):
    """Two processes take turns: each connects from the same port to the same server, and closes."""
    turns = os.pipe(), os.pipe()

    def one(size, waits, tells):
        def run():
            for _ in range(8):
                os.read(waits, 1)
                s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                s.bind((THERE, 7200))
                s.connect((HERE, 7100))
                for _ in range(5):
                    s.send(b"x" * size)
                    time.sleep(pause)
                if is_reset:
                    # Only what has arrived can be counted: nothing is sent again after a reset.
                    wait_until_sent(s)
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                s.close()
                time.sleep(gap)
                os.write(tells, b"x")
            said(8 * 5, size)
            time.sleep(0.3)

        return run

    both = [
        process("first", one(100, turns[0][0], turns[1][1])),
        process("second", one(1000, turns[1][0], turns[0][1])),
    ]
    os.write(turns[0][1], b"x")
    for pid in both:
        os.waitpid(pid, 0)


def wait_until_sent(s):
    """Until the other end has acknowledged everything (SIOCOUTQ in tcp(7))."""
    while struct.unpack("i", fcntl.ioctl(s, 0x5411, b"\0\0\0\0"))[0] > 0:
        time.sleep(0.001)


ACTS = {
    "storming": lambda kind, gap, pause: storming(kind, pause),
    "at_once": lambda kind, keeps, forks: at_once(kind, keeps > 0, forks > 0),
    "reopening": lambda kind, gap, pause: reopening(kind, gap, pause, gap < 1),
    "handing": lambda kind, gap, stays: handing(kind, gap, stays > 0),
    "reuse": lambda kind, gap, pause: reuse(kind, gap, pause),
    "passing": lambda kind, gap, pause: passing(kind, pause),
    "executing": lambda kind, gap, pause: executing(kind, pause),
    "interpreting": lambda kind, gap, pause: interpreting(kind, pause),
    "elsewhere": lambda kind, gap, pause: elsewhere(kind, gap, pause),
    "leaving": lambda kind, gap, pause: leaving(kind, pause),
    "daemonising": lambda kind, gap, pause: daemonising(kind, pause),
    "forking": lambda kind, gap, pause: forking(kind, pause),
    "many": lambda kind, gap, pause: many(kind, pause),
}

signal.alarm(120)
if sys.argv[1] == "sharing":
    sharing(sys.argv[2], sys.argv[3], float(sys.argv[4]))
    sys.exit()
ACTS[sys.argv[1]](sys.argv[2], float(sys.argv[3]), float(sys.argv[4]))
