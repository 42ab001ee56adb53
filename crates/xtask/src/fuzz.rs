//! `cargo xtask fuzz`: the fuzz targets, with seeds from real captures and from what the kernel
//! reports of this host.
//!
//! libFuzzer needs flags of the compiler that are not stable. `RUSTC_BOOTSTRAP` lets
//! the installed one take them, so neither a nightly compiler nor cargo-fuzz is
//! needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{Failure, cargo, root, run as run_command};

const TARGETS: [&str; 21] = [
    "decode",
    "capture_file",
    "flows",
    "desktop_entry",
    "svg",
    "xpm",
    "requests",
    "mask",
    "comment",
    "dns",
    "client_hello",
    "quic_initial",
    "http_host",
    "netlink",
    "proc_net",
    "process",
    "cgroup",
    "mountinfo",
    "conntrack",
    "container",
    "direction",
];
/// The targets from here on are for Linux, and run only there.
const FIRST_OF_LINUX: usize = 13;
const SECONDS: u32 = 300;
/// The seconds that one input may take: an input that passes a check must also not take long.
const TIMEOUT: u32 = 20;

/// The compiler flags that cargo-fuzz passes: coverage for libFuzzer, and `AddressSanitizer`.
const FLAGS: &str = "--cfg fuzzing -Zsanitizer=address -Ccodegen-units=1 \
    -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Numbers of link types in capture files, in the order of `LinkType::ALL`, by which
/// the target `decode` picks.
const LINK_TYPES: [u32; 36] = [
    1, 113, 276, 101, 228, 229, 0, 108, 9, 50, 51, 166, 204, 104, 205, 107, 206, 182, 8, 100, 106,
    219, 105, 127, 119, 163, 192, 239, 258, 226, 242, 7, 129, 109, 117, 178,
];

/// Runs all targets, or one, each for five minutes or for the given time.
pub(crate) fn run(arguments: &[&str]) -> Result<(), Failure> {
    let usage = || Failure(format!("fuzz [{}] [SECONDS]", TARGETS.join("|")));
    let parse = |text: &str| text.parse().map_err(|_| usage());
    let all = if std::env::consts::OS == "linux" {
        &TARGETS[..]
    } else {
        &TARGETS[..FIRST_OF_LINUX]
    };
    let (targets, seconds) = match arguments {
        [] => (all, SECONDS),
        [one] if TARGETS.contains(one) => (&arguments[..1], SECONDS),
        [seconds] => (all, parse(seconds)?),
        [one, seconds] if TARGETS.contains(one) => (&arguments[..1], parse(seconds)?),
        _ => return Err(usage()),
    };
    for target in targets {
        seed(target)?;
        fuzz(target, seconds)?;
    }
    Ok(())
}

fn fuzz(target: &str, seconds: u32) -> Result<(), Failure> {
    let artifacts = root().join("fuzz/artifacts").join(target);
    fs::create_dir_all(&artifacts).map_err(|error| failed(&artifacts, &error))?;
    let mut command = program(target)?;
    command
        .arg(corpus(target)?)
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg(format!("-timeout={TIMEOUT}"))
        .args(["-print_final_stats=1", "-max_len=4096"]);
    let words = root().join("fuzz").join(format!("{target}.dict"));
    if words.exists() {
        command.arg(format!("-dict={}", words.display()));
    }
    run_command(&mut command)
}

/// The command that runs a program of the fuzzing workspace; the caller adds arguments.
fn program(name: &str) -> Result<Command, Failure> {
    let host = host()?;
    let mut command = cargo(&["run", "--release", "--manifest-path", "fuzz/Cargo.toml"]);
    command
        .args(["--target", &host, "--target-dir", "target/fuzz"])
        .args(["--bin", name, "--"])
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", FLAGS);
    Ok(command)
}

/// The platform of this compiler: a sanitizer needs its name.
fn host() -> Result<String, Failure> {
    let output = Command::new("rustc").arg("-vV").output();
    let output = output.map_err(|error| Failure(format!("rustc could not be started: {error}")))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| Failure("rustc does not tell its host".to_owned()))
}

fn corpus(target: &str) -> Result<PathBuf, Failure> {
    let folder = root().join("fuzz/corpus").join(target);
    fs::create_dir_all(&folder).map_err(|error| failed(&folder, &error))?;
    Ok(folder)
}

/// Puts real inputs into the corpus of a target.
fn seed(target: &str) -> Result<(), Failure> {
    match target {
        "decode" => seed_decode(),
        "capture_file" => seed_captures(),
        "desktop_entry" => seed_shared(target, &["applications"], "desktop"),
        "svg" | "xpm" => seed_shared(target, &["icons", "pixmaps"], target),
        "netlink" | "direction" => run_command(program("answers")?.arg(corpus(target)?)),
        "proc_net" => seed_files(
            target,
            "net",
            &["tcp", "tcp6", "udp", "udp6", "raw", "raw6"],
        ),
        "process" => seed_processes(target, &["stat", "status"]),
        "cgroup" => seed_processes(target, &["cgroup"]),
        "mountinfo" => seed_processes(target, &["mountinfo"]),
        _ => Ok(()),
    }
}

/// Puts files with this extension into a corpus, which programs of this host installed in these
/// directories, or below them. A server has none.
fn seed_shared(target: &str, folders: &[&str], extension: &str) -> Result<(), Failure> {
    const MAX_FILES: usize = 2_000;
    let share = Path::new("/usr/share");
    let mut waiting: Vec<PathBuf> = folders.iter().map(|folder| share.join(folder)).collect();
    let mut files = Vec::new();
    while let Some(folder) = waiting.pop()
        && files.len() < MAX_FILES
    {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            // It follows no links, which may lead round in circles.
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => waiting.push(path),
                Ok(kind)
                    if kind.is_file() && path.extension().is_some_and(|it| it == extension) =>
                {
                    files.push(path);
                }
                _ => {}
            }
        }
    }
    let corpus = corpus(target)?;
    for (number, path) in files.iter().enumerate() {
        let seed = corpus.join(format!("{number}.{extension}"));
        fs::copy(path, &seed).map_err(|error| failed(&seed, &error))?;
    }
    Ok(())
}

/// Puts files of the processes of this host into a corpus.
fn seed_processes(target: &str, names: &[&str]) -> Result<(), Failure> {
    const MAX_PROCESSES: usize = 100;
    let entries = fs::read_dir("/proc").map_err(|error| failed(Path::new("/proc"), &error))?;
    let folders = entries.flatten().map(|entry| entry.file_name());
    let folders = folders.filter_map(|name| name.into_string().ok());
    let pids = folders.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    pids.take(MAX_PROCESSES)
        .try_for_each(|pid| seed_files(target, &pid, names))
}

/// Puts files of a directory in `/proc` into a corpus, as far as this process can read them.
fn seed_files(target: &str, folder: &str, names: &[&str]) -> Result<(), Failure> {
    for name in names {
        let Ok(text) = fs::read(Path::new("/proc").join(folder).join(name)) else {
            continue;
        };
        let seed = corpus(target)?.join(format!("{folder}-{name}"));
        fs::write(&seed, text).map_err(|error| failed(&seed, &error))?;
    }
    Ok(())
}

/// The capture files, if there are any.
fn captures() -> Vec<PathBuf> {
    let captures = std::env::var_os("FLOWNER_CAPTURES")
        .map_or_else(|| root().join("../shared/captures"), PathBuf::from)
        .join("tcpdump");
    let Ok(entries) = fs::read_dir(&captures) else {
        println!(
            "fuzz: no capture files in {}; starting from nothing",
            captures.display()
        );
        return Vec::new();
    };
    entries.flatten().map(|entry| entry.path()).collect()
}

/// Puts capture files into the corpus of `capture_file`.
fn seed_captures() -> Result<(), Failure> {
    let corpus = corpus("capture_file")?;
    for path in captures() {
        let seed = corpus.join(path.file_name().unwrap_or_default());
        fs::copy(&path, &seed).map_err(|error| failed(&seed, &error))?;
    }
    Ok(())
}

/// Puts the frames of the capture files into the corpus of `decode`.
fn seed_decode() -> Result<(), Failure> {
    let corpus = corpus("decode")?;
    let mut seeds = 0;
    for path in captures() {
        let bytes = fs::read(&path).unwrap_or_default();
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        for (number, frame) in frames(&bytes).into_iter().enumerate() {
            let seed = corpus.join(format!("{name}-{number}"));
            fs::write(&seed, frame).map_err(|error| failed(&seed, &error))?;
            seeds += 1;
        }
    }
    println!("fuzz: {seeds} frames");
    Ok(())
}

/// The frames of a classic pcap file (pcap-savefile(5)), each after the byte that picks its link
/// type. Any other file has none.
fn frames(file: &[u8]) -> Vec<Vec<u8>> {
    let number = |at: usize, bytes: &[u8]| -> Option<u32> {
        let bytes: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        match file.get(..4)? {
            [0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1] => Some(u32::from_le_bytes(bytes)),
            [0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d] => Some(u32::from_be_bytes(bytes)),
            _ => None,
        }
    };
    let link_type = number(20, file).map(|number| number & 0xffff);
    let pick = LINK_TYPES
        .iter()
        .position(|known| Some(*known) == link_type);
    let Some(pick) = pick.and_then(|pick| u8::try_from(pick).ok()) else {
        return Vec::new();
    };
    let mut frames = Vec::new();
    let mut rest = file.get(24..).unwrap_or_default();
    while let Some(length) = number(8, rest).and_then(|length| usize::try_from(length).ok()) {
        let Some(frame) = rest.get(16..).and_then(|rest| rest.get(..length)) else {
            break;
        };
        frames.push([&[pick], frame].concat());
        rest = &rest[16 + length..];
    }
    frames
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    #[test]
    fn frames_of_a_file() {
        let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1];
        file.extend([0; 16]);
        file.extend([113, 0, 0, 0]);
        for frame in [&[7, 8][..], &[9]] {
            file.extend([0; 8]);
            let length = u8::try_from(frame.len()).unwrap();
            file.extend([length, 0, 0, 0, 99, 0, 0, 0]);
            file.extend(frame);
        }
        assert_eq!(frames(&file), [vec![1, 7, 8], vec![1, 9]]);
        // A truncated file gives its complete frames.
        assert_eq!(frames(&file[..file.len() - 1]), [vec![1, 7, 8]]);
        assert!(frames(b"no capture").is_empty());
    }

    #[test]
    fn every_target_is_run() {
        let folder = fs::read_dir(root().join("fuzz/fuzz_targets")).unwrap();
        let file = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut files: Vec<_> = folder.map(file).collect();
        files.sort();
        let mut expected = TARGETS.map(|target| OsString::from(format!("{target}.rs")));
        expected.sort();
        assert_eq!(files, expected);
    }

    /// Reads the source of the list from which the target picks. A dependency on that crate would
    /// make xtask wait for the libraries that it installs.
    #[test]
    fn link_types_are_in_the_order_of_the_target() {
        let source = include_str!("../../capture/src/link_type.rs");
        let (_, all) = source.split_once("pub const ALL").unwrap();
        let (all, _) = all.split_once("];").unwrap();
        let names = all
            .lines()
            .filter_map(|line| line.trim().strip_prefix("Self::"));
        let number = |name: &str| {
            let arm = format!(" => Some(Self::{}),", name.trim_end_matches(','));
            let number = |line: &str| line.trim().strip_suffix(&arm)?.parse().ok();
            source.lines().find_map(number)
        };
        let numbers: Vec<Option<u32>> = names.map(number).collect();
        assert_eq!(numbers, LINK_TYPES.map(Some));
    }
}
