//! The work of a program that captures packets itself: it finds the owners of both ends of each
//! flow from the first packet on, though they may exit a moment later.
//!
//! Here the program describes the packets that it sends itself, so that it runs without privileges.
//! With privileges, the fast lookups find more (see the README).

use std::collections::HashMap;
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::SystemTime;

use flowner_attribution::capture::CaptureResolver;
use flowner_attribution::{
    Attributor, Event, Initiator, Lookup, LookupRequest, Ownership, PolicyConfig, Protocol,
    Resolver, SocketQuery, Token,
};

/// The facts that a decoder gives about a TCP or UDP packet.
struct Packet {
    /// The kernel's time of the packet from the capture, not the time at which this program read
    /// it.
    captured_at: SystemTime,
    protocol: Protocol,
    source: SocketAddr,
    destination: SocketAddr,
    /// For TCP.
    syn: bool,
    ack: bool,
    has_payload: bool,
}

/// An end of a flow and its owner; `None` if too many requests wait.
type Known = (SocketQuery, Option<Ownership>);

/// The owners of those ends of flows that are on this host. Belongs to the capture thread.
struct Owners {
    resolver: CaptureResolver,
    news: Receiver<Event>,
    is_local: fn(IpAddr) -> bool,
    ends: HashMap<SocketQuery, Token>,
    /// By the number of the waiting end, with whether the owner may still change.
    known: HashMap<Token, (Option<Ownership>, bool)>,
}

impl Owners {
    fn start(is_local: fn(IpAddr) -> bool) -> Result<Self, flowner_attribution::Error> {
        let (sender, news) = channel();
        // The thread of the resolver calls this, so it only passes the event on. If the receiver is
        // gone, the event is of no use.
        let pass_on = move |event| drop(sender.send(event));
        let background = Resolver::spawn(Attributor::new()?, PolicyConfig::default(), pass_on)?;
        let mut resolver = CaptureResolver::new(Arc::new(background));
        resolver.init_thread();
        Ok(Self {
            resolver,
            news,
            is_local,
            ends: HashMap::new(),
            known: HashMap::new(),
        })
    }

    /// Call this for each packet right after its capture, and without one after
    /// [`CaptureResolver::poll_timeout`]. It does not wait.
    fn packet(&mut self, packet: Option<&Packet>) {
        for (waiter, owner) in self.resolver.poll_pending() {
            self.known.insert(waiter, (Some(owner), true));
        }
        if let Some(packet) = packet {
            // For a flow within this host, both ends have an owner.
            self.end(packet, packet.source, packet.destination, true);
            self.end(packet, packet.destination, packet.source, false);
        }
        while let Ok(event) = self.news.try_recv() {
            let answer = (Some(event.ownership), !event.last);
            self.known.insert(event.key, answer);
        }
    }

    fn end(&mut self, packet: &Packet, local: SocketAddr, remote: SocketAddr, is_sent: bool) {
        if !(self.is_local)(local.ip()) {
            return;
        }
        let query = SocketQuery::new(packet.protocol, local, Some(remote));
        if let Some(waiter) = self.ends.get(&query) {
            // The policy retries nothing for a flow without packets.
            if let Some((owner, true)) = self.known.get_mut(waiter)
                && let Some(better) = self.resolver.packet(*waiter, packet.has_payload)
            {
                *owner = Some(better);
            }
            return;
        }
        let waiter = Token(self.ends.len() as u64);
        self.ends.insert(query, waiter);
        let question = LookupRequest::new(query, packet.captured_at, opened(packet, is_sent));
        self.known.insert(waiter, (None, true));
        let lookup = self.resolver.flow_opened(waiter, question);
        self.store(waiter, lookup);
    }

    fn store(&mut self, waiter: Token, lookup: Lookup) {
        let answer = match lookup {
            Lookup::Ready(ownership) => (Some(ownership), false),
            Lookup::Provisional(ownership) => (Some(ownership), true),
            Lookup::Pending => (None, true),
            Lookup::QueueFull => (None, false),
        };
        self.known.insert(waiter, answer);
    }

    /// The known owners at the end of the capture. A program that runs on calls
    /// [`CaptureResolver::flow_ended`] for each flow that ends, and forgets its ends.
    fn finish(self) -> Vec<Known> {
        self.resolver.finish();
        let mut known = self.known;
        for event in self.news {
            known.insert(event.key, (Some(event.ownership), false));
        }
        let owner = move |(query, waiter)| (query, known.remove(&waiter).and_then(|known| known.0));
        self.ends.into_iter().map(owner).collect()
    }
}

/// How a flow began according to its first captured packet, for the end that sent it or the other
/// one.
fn opened(packet: &Packet, is_sent: bool) -> Initiator {
    let is_by_sender = match (packet.protocol, packet.syn, packet.ack) {
        (Protocol::Tcp, false, _) => return Initiator::Unknown,
        (Protocol::Tcp, true, is_answer) => !is_answer,
        _ => true,
    };
    if is_by_sender == is_sent {
        Initiator::Local
    } else {
        Initiator::Remote
    }
}

/// A connection of this program to itself, as a capture would show it.
fn watch_a_connection() -> Result<Vec<Known>, Box<dyn Error>> {
    let mut owners = Owners::start(|address| address.is_loopback())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let server = listener.local_addr()?;
    let connection = TcpStream::connect(server)?;
    let client = connection.local_addr()?;
    let (_accepted, _) = listener.accept()?;
    for (source, destination, syn, ack) in [
        (client, server, true, false),
        (server, client, true, true),
        (client, server, false, true),
    ] {
        owners.packet(Some(&Packet {
            captured_at: SystemTime::now(),
            protocol: Protocol::Tcp,
            source,
            destination,
            syn,
            ack,
            has_payload: !syn,
        }));
    }
    Ok(owners.finish())
}

fn main() -> Result<(), Box<dyn Error>> {
    for (query, owner) in watch_a_connection()? {
        match owner {
            Some(owner) => println!("{query}: {} ({:?})", owner.verdict, owner.evidence.matched),
            None => println!("{query}: the resolver was busy"),
        }
    }
    Ok(())
}

#[test]
fn both_ends_are_named() -> Result<(), Box<dyn Error>> {
    let known = watch_a_connection()?;
    assert_eq!(known.len(), 2);
    for (query, owner) in known {
        let owner = owner.ok_or("the resolver was busy")?;
        let pids: Vec<u32> = owner.verdict.processes().iter().map(|p| p.pid).collect();
        assert_eq!(pids, [std::process::id()], "{query}: {owner:?}");
    }
    Ok(())
}
