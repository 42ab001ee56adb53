//! What was typed to start the app.

use std::ffi::OsString;
use std::path::PathBuf;

use flowner_core::Demo;

use crate::session::Origin;
use crate::viewpoint::Viewpoint;

/// The resolved command line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Launch {
    /// What to watch at once.
    pub origin: Option<Origin>,
    /// A capture filter in libpcap's language.
    pub capture_filter: Option<String>,
    /// Whose addresses count as the host's own.
    pub viewpoint: Viewpoint,
    /// Whether no privileges of root are given up, for debugging.
    pub no_sandbox: bool,
}

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// To run.
    Run(Launch),
    /// To print this and be done.
    Print(String),
}

/// What can be typed.
pub const HELP: &str = "\
Which program owns each network flow on this host?

Usage: flowner-gui [OPTIONS] [FILE]

Arguments:
  [FILE]               A pcap or pcapng file to open

Options:
  -i, --interface DEV  Watch this device at once (repeatable); any for all devices
  -f, --filter EXPR    Capture only what this filter of libpcap lets pass
      --local NET      Count this address or network as the host's own (repeatable);
                       none for nobody's, where a file's is not to be guessed
      --demo           Play made-up traffic, which needs no privilege
      --no-sandbox     Give up no privileges that root gave, and filter no system calls,
                       for debugging
  -h, --help           Print this
  -V, --version        Print the version

FLOWNER_LOG=debug tells what goes on.";

/// Reads the arguments, without the name of the program.
///
/// # Errors
/// Says what cannot be understood.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Asked, String> {
    let mut launch = Launch::default();
    let mut arguments = arguments.into_iter();
    let mut only_files = false;
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy().into_owned();
        let origin = match text.as_str() {
            _ if only_files => Origin::File(argument.into()),
            "-h" | "--help" => return Ok(Asked::Print(HELP.to_owned())),
            "-V" | "--version" => {
                let version = format!("flowner-gui {}", env!("CARGO_PKG_VERSION"));
                return Ok(Asked::Print(version));
            }
            "--" => {
                only_files = true;
                continue;
            }
            "--no-sandbox" => {
                launch.no_sandbox = true;
                continue;
            }
            "-f" | "--filter" => {
                launch.capture_filter = Some(value(&text, arguments.next())?);
                continue;
            }
            "--local" => {
                let network = value(&text, arguments.next())?;
                let more = network.parse().map_err(|why| format!("`--local`: {why}"))?;
                launch.viewpoint = launch.viewpoint.and(more);
                continue;
            }
            "-i" | "--interface" => {
                let name = value(&text, arguments.next())?;
                match &mut launch.origin {
                    Some(Origin::Devices(names)) => {
                        names.push(name);
                        continue;
                    }
                    _ => Origin::Devices(vec![name]),
                }
            }
            "--demo" => Origin::Demo(Demo::Live),
            other if other.starts_with('-') && other.len() > 1 => {
                return Err(format!("unknown option `{other}`; see flowner-gui --help"));
            }
            _ => Origin::File(PathBuf::from(argument)),
        };
        if launch.origin.replace(origin).is_some() {
            return Err("only one of FILE, --interface and --demo can be watched".to_owned());
        }
    }
    Ok(Asked::Run(launch))
}

fn value(option: &str, value: Option<OsString>) -> Result<String, String> {
    let value = value.ok_or_else(|| format!("`{option}` needs a value"))?;
    value
        .into_string()
        .map_err(|value| format!("`{option}`: {} is not Unicode", value.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(arguments: &[&str], expected: &Launch) {
        let asked = parse(arguments.iter().map(OsString::from));
        assert_eq!(asked, Ok(Asked::Run(expected.clone())));
    }

    #[track_caller]
    fn check_error(arguments: &[&str], expected: &str) {
        let error = parse(arguments.iter().map(OsString::from)).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn what_can_be_typed() {
        let of = |origin| Launch {
            origin: Some(origin),
            ..Launch::default()
        };
        check(&[], &Launch::default());
        check(&["a.pcap"], &of(Origin::File("a.pcap".into())));
        check(&["--", "-a.pcap"], &of(Origin::File("-a.pcap".into())));
        check(&["--demo"], &of(Origin::Demo(Demo::Live)));
        let filtered = Launch {
            capture_filter: Some("tcp".to_owned()),
            ..of(Origin::Devices(vec!["lo".to_owned()]))
        };
        check(&["-i", "lo", "-f", "tcp"], &filtered);
        let both = of(Origin::Devices(vec!["lo".to_owned(), "eth0".to_owned()]));
        check(&["-i", "lo", "-i", "eth0"], &both);
        let seen = Launch {
            viewpoint: "10.0.0.1, fe80::/10".parse().unwrap(),
            ..of(Origin::File("a.pcap".into()))
        };
        let typed = ["--local", "10.0.0.1", "a.pcap", "--local", "fe80::/10"];
        check(&typed, &seen);
        let free = Launch {
            no_sandbox: true,
            ..Launch::default()
        };
        check(&["--no-sandbox"], &free);
    }

    #[test]
    fn what_cannot() {
        check_error(&["--dmeo"], "unknown option `--dmeo`");
        check_error(&["-i"], "`-i` needs a value");
        check_error(
            &["--local", "lan"],
            "`--local`: `lan` is not a valid address",
        );
        check_error(&["--demo", "a.pcap"], "only one of");
        check_error(&["--demo", "-i", "lo"], "only one of");
    }
}
