//! A made-up host, which shows flowner without any privilege: frames, and the owners of their
//! sockets. Flowner processes them like real frames.
//!
//! Pure and repeatable: the same frames at the same offsets, always. The addresses are private, or
//! reserved for documentation (RFC 5737, RFC 3849).

mod cast;
mod frame;
mod messages;
mod owners;
mod ports;
mod traffic;

use std::net::IpAddr;
use std::time::Duration;

pub(crate) use owners::{Clock, DemoTable};
pub(crate) use traffic::{Frame, Traffic};

/// How much of the traffic has passed when the demo begins, so that its lists are not empty.
pub(crate) const PAST: Duration = Duration::from_secs(600);

/// When the recorded demo begins: 2026-01-15T09:00:00Z.
pub(crate) const RECORDED_AT: Duration = Duration::from_secs(1_768_467_600);

/// The addresses of the host.
pub(crate) fn addresses() -> impl Iterator<Item = IpAddr> {
    [cast::HOST_V4, cast::HOST_V6]
        .into_iter()
        .filter_map(|address| address.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowner_attribution::{Reason, SocketQuery, SocketTable, Verdict};
    use flowner_capture::{LinkType, decode};

    use crate::engine::convert;
    use crate::{Config, Demo, EndState, Input, Monitor, Report};

    fn frames(seconds: u64) -> Vec<Frame> {
        let until = Duration::from_secs(seconds);
        Traffic::new()
            .take_while(|frame| frame.at < until)
            .collect()
    }

    #[test]
    fn it_is_the_same_each_time_and_in_order() {
        let first = frames(120);
        assert_eq!(first, frames(120));
        assert!(first.is_sorted_by_key(|frame| frame.at));
        assert!(first.len() > 2_000, "{}", first.len());
    }

    #[test]
    fn it_never_ends_and_never_bursts() {
        let mut by_minute = [0_u32; 60];
        for frame in frames(3_600) {
            by_minute[usize::try_from(frame.at.as_secs() / 60).unwrap()] += 1;
        }
        for (minute, frames) in by_minute.into_iter().enumerate() {
            assert!((1_000..30_000).contains(&frames), "{minute}: {frames}");
        }
    }

    #[test]
    fn every_frame_is_decoded_to_what_it_claims() {
        for frame in frames(60) {
            let headers = decode(LinkType::Ethernet, frame.data(), frame.wire_len).unwrap();
            assert_eq!(headers.wire_len, frame.wire_len);
            let packet = convert::packet_at(&headers, frame.at);
            assert!(packet.payload_len < packet.wire_len);
        }
    }

    #[test]
    fn every_kind_of_owner_owns_a_socket() {
        let mut table = DemoTable::new(Clock::default());
        let mut seen = std::collections::BTreeSet::new();
        for frame in frames(600) {
            let headers = decode(LinkType::Ethernet, frame.data(), frame.wire_len).unwrap();
            let packet = convert::packet_at(&headers, frame.at);
            let Ok(protocol) = packet.protocol.try_into_socket() else {
                continue;
            };
            for (local, remote) in [
                (packet.source, packet.destination),
                (packet.destination, packet.source),
            ] {
                let query = SocketQuery::new(protocol, local, Some(remote));
                let answer = table.find(&query).unwrap();
                seen.extend(answer.verdict.processes().iter().map(|p| p.name.clone()));
                if let Verdict::Unknown(reason) = answer.verdict {
                    seen.insert(reason.name().to_owned());
                } else if let Verdict::Partial { .. } = answer.verdict {
                    seen.insert("partial".to_owned());
                }
            }
        }
        for name in [
            "firefox",
            "sshd",
            "nginx",
            Reason::Gone.name(),
            Reason::Denied.name(),
            Reason::Kernel.name(),
            "partial",
        ] {
            assert!(seen.contains(name), "{name} is not in {seen:?}");
        }
        assert!(seen.len() > 20, "{seen:?}");
    }

    #[test]
    fn the_recorded_demo_is_counted_like_any_input() {
        let config = Config {
            input: Input::Demo(Demo::Recorded),
            ..Config::default()
        };
        let report = Monitor::builder(&config).start().unwrap().wait();
        assert_eq!(report.ending, EndState::Complete);
        let bytes = |report: &Report| -> Vec<_> {
            let programs = report.programs().into_iter();
            programs
                .map(|group| (group.key, group.totals.counted().bytes))
                .collect()
        };
        let programs = bytes(&report);
        assert_eq!(
            programs.iter().map(|(_, bytes)| bytes).sum::<u64>(),
            report.total().bytes
        );
        assert!(programs.len() > 20, "{programs:#?}");
        // Every lookup finds an owner, however late flowner counts the frames.
        let owners = report.flows.iter().filter_map(|flow| flow.owner.as_ref());
        let failed = owners.filter(|owner| owner.verdict == Verdict::Unknown(Reason::Failed));
        assert_eq!(failed.count(), 0);
        // Owners do not split any flow, as no socket gets another owner.
        let without_owners = Config {
            owners: false,
            ..config.clone()
        };
        let flows = |report: &Report| report.flows.len() as u64 + report.unlisted_flows();
        let alone = Monitor::builder(&without_owners).start().unwrap().wait();
        assert_eq!(flows(&report), flows(&alone));
        let again = Monitor::builder(&config).start().unwrap().wait();
        assert_eq!(programs, bytes(&again));
    }

    #[test]
    fn its_packets_name_whom_programs_talk_to() {
        let config = Config {
            input: Input::Demo(Demo::Recorded),
            ..Config::default()
        };
        let report = Monitor::builder(&config).start().unwrap().wait();
        let known: std::collections::HashSet<_> = cast::lookups().collect();
        for (name, address) in &known {
            let longest = [
                messages::client_hello(name),
                messages::answer(0, name, *address),
            ];
            assert!(
                longest.iter().all(|it| it.len() <= frame::MAX_MESSAGE),
                "{name}"
            );
        }
        let named = report.flows.iter().filter_map(|flow| {
            let host = flow.remote_name()?;
            Some((flow, host))
        });
        let mut sources = std::collections::BTreeSet::new();
        for (flow, host) in named {
            sources.insert(host.source);
            let is_known = known
                .iter()
                .any(|(name, at)| *name == host.name.as_str() && *at == flow.remote.ip());
            assert!(is_known, "{} is not {}", flow.remote, host.name);
        }
        assert!(sources.contains(&crate::NameSource::Tls), "{sources:?}");
        assert!(sources.contains(&crate::NameSource::Dns), "{sources:?}");
        let asked = report
            .flows
            .iter()
            .filter(|it| !it.dns_questions().is_empty());
        assert!(asked.count() > 100);
        // Who was there before the capture began has no name.
        let is_ssh = |flow: &&crate::FlowRecord| flow.service_port == 22;
        let ssh: Vec<_> = report.flows.iter().filter(is_ssh).collect();
        assert!(!ssh.is_empty() && ssh.iter().all(|flow| flow.remote_name().is_none()));
    }

    /// A protocol of flows that has sockets.
    trait TryIntoSocket {
        fn try_into_socket(self) -> Result<flowner_attribution::Protocol, ()>;
    }

    impl TryIntoSocket for flowner_flows::Protocol {
        fn try_into_socket(self) -> Result<flowner_attribution::Protocol, ()> {
            match self {
                Self::TCP => Ok(flowner_attribution::Protocol::Tcp),
                Self::UDP => Ok(flowner_attribution::Protocol::Udp),
                _ => Err(()),
            }
        }
    }
}
