//! The hosts of a test, and the processes on them.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use flowner_testing::namespace::{ip, is_run_apart};

/// What this executable is to be, where a test starts it as another process.
pub(crate) const ROLE: &str = "FLOWNER_TEST_ROLE";

/// A process of this executable, killed at the end.
pub(crate) struct Actor {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Actor {
    pub(crate) fn start(role: &str, place: &[&str]) -> Self {
        let executable = std::env::current_exe().unwrap();
        let mut words = place.to_vec();
        words.push(executable.to_str().unwrap());
        words.extend(["--exact", "actor", "--ignored", "--nocapture"]);
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).env(ROLE, role);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        Self {
            input: child.stdin.take().unwrap(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    /// Waits for a line that ends with a word, and gives what follows it.
    pub(crate) fn wait_for(&mut self, word: &str) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "no {word}");
            // The harness of tests writes before it on the same line.
            if let Some((_, rest)) = line.split_once(word) {
                return rest.trim().to_owned();
            }
        }
    }

    pub(crate) fn go_on(&mut self) {
        self.input.write_all(b"\n").unwrap();
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// The host of the clients, and the one of the servers.
pub(crate) struct Stage {
    _server: Actor,
    pub(crate) folder: tempfile::TempDir,
}

impl Stage {
    /// `None` where the test runs inside, or may not.
    pub(crate) fn set(test: &str) -> Option<Self> {
        if is_run_apart(test) {
            return None;
        }
        ip("netns add there");
        for line in [
            "link set lo up",
            "link add here0 type veth peer there0",
            "link set there0 netns there",
            "address add 10.77.0.1/24 dev here0",
            "link set here0 up",
            "route add default dev here0",
            "-n there link set lo up",
            "-n there address add 192.0.2.1/32 dev there0",
            "-n there link set there0 up",
            "-n there route add 10.77.0.0/24 dev there0",
        ] {
            ip(line);
        }
        let mut server = Actor::start("server", &["ip", "netns", "exec", "there"]);
        server.wait_for("ready");
        let folder = tempfile::tempdir().unwrap();
        let stage = Self {
            _server: server,
            folder,
        };
        stage.resolve_by("nameserver 192.0.2.1");
        for (file, text) in [
            ("hosts", "127.0.0.1 localhost\n"),
            ("nsswitch.conf", "hosts: files dns\n"),
        ] {
            stage.put(file, text);
        }
        Some(stage)
    }

    /// Lets all processes of this test see another file in `/etc`.
    fn put(&self, name: &str, text: &str) {
        let place = format!("/etc/{name}");
        if !Path::new(&place).exists() {
            // What the system does without it is what is wanted, or the test fails.
            return;
        }
        let file = self.folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        let mut mount = Command::new("mount");
        let mounted = mount.arg("--bind").arg(&file).arg(place);
        assert!(mounted.status().unwrap().success(), "{name}");
    }

    pub(crate) fn resolve_by(&self, text: &str) {
        self.put("resolv.conf", &format!("{text}\n"));
    }
}
