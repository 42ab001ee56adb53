//! The lines in which processes write down what is true.

use std::error::Error;
use std::str::FromStr;

use super::bytes::Sent;
use super::truth::Truth;

/// One line of a process.
#[derive(Debug)]
pub(crate) enum Told {
    /// Who holds one end of a flow.
    End(Truth),
    /// Messages that one process sent.
    Sent(Sent),
    /// A line for the process that started this one.
    Other,
}

impl FromStr for Told {
    type Err = Box<dyn Error>;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let words: Vec<&str> = line.split(' ').collect();
        Ok(match words[..] {
            ["end", side, protocol, local, remote, held_by] => Self::End(Truth {
                protocol: protocol.to_owned(),
                local: local.parse()?,
                remote: remote.parse()?,
                is_server: side == "server",
                held_by: held_by.parse()?,
            }),
            ["sent", protocol, from, to, pid, messages] => Self::Sent(Sent {
                way: (protocol.to_owned(), from.parse()?, to.parse()?),
                pid: Some(pid.parse()?),
                messages: messages.parse()?,
            }),
            _ => Self::Other,
        })
    }
}
