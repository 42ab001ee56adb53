//! A network of its own for a test.
#![cfg(target_os = "linux")]

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// A network namespace, removed at the end.
pub(crate) struct Namespace(String);

impl Namespace {
    /// `None`, with a visible word, where it may not be made.
    pub(crate) fn new() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("flowner-test-{}-{number}", std::process::id());
        let made = Command::new("ip").args(["netns", "add", &name]).output();
        if !made.is_ok_and(|output| output.status.success()) {
            flowner_testing::skipped!("no privilege to make a network namespace");
            return None;
        }
        let namespace = Self(name);
        let up = namespace
            .command("ip")
            .args(["link", "set", "lo", "up"])
            .status();
        assert!(up.unwrap().success());
        Some(namespace)
    }

    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    /// Runs `ip` in it, which must succeed.
    pub(crate) fn ip(&self, arguments: &str) {
        let mut command = Command::new("ip");
        command
            .args(["-n", &self.0])
            .args(arguments.split_whitespace());
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "ip {arguments}: {said}");
    }

    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0, program]);
        command
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _best_effort = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}
