//! What a program does that captures packets itself: the owners of both ends of each flow,
//! from the first packet on, though they may be gone a moment later.
//!
//! Here the program describes the packets that it sends itself, so that it runs without a
//! privilege; with one, the fast lookups see more (see the README).

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

/// What a decoder tells of a packet of TCP or UDP.
struct Packet {
    /// When the kernel saw it, as the capture says: not when this program read it.
    captured_at: SystemTime,
    protocol: Protocol,
    source: SocketAddr,
    destination: SocketAddr,
    /// Of TCP.
    syn: bool,
    ack: bool,
    has_payload: bool,
}

/// An end of a flow and its owner; `None` where too many questions wait.
type Known = (SocketQuery, Option<Ownership>);

/// The owners of the ends of flows that are on this host. Belongs to the thread that captures.
struct Owners {
    resolver: CaptureResolver,
    news: Receiver<Event>,
    is_local: fn(IpAddr) -> bool,
    ends: HashMap<SocketQuery, Token>,
    /// By the number of the end that waits for it, and whether that may still change.
    known: HashMap<Token, (Option<Ownership>, bool)>,
}

impl Owners {
    fn start(is_local: fn(IpAddr) -> bool) -> Result<Self, flowner_attribution::Error> {
        let (sender, news) = channel();
        // Called on the thread of the resolver, so it only passes on. A reader that is gone
        // has no use for what comes.
        let tell = move |event| drop(sender.send(event));
        let background = Resolver::spawn(Attributor::new()?, PolicyConfig::default(), tell)?;
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

    /// To be called for each packet as soon as it is captured, and without one after
    /// [`CaptureResolver::poll_timeout`]. It does not wait.
    fn packet(&mut self, packet: Option<&Packet>) {
        for (waiter, owner) in self.resolver.poll_pending() {
            self.known.insert(waiter, (Some(owner), true));
        }
        if let Some(packet) = packet {
            // Of a flow within this host, both ends have an owner.
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
            // Nothing is tried again for a flow without packets.
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
        self.asked(waiter, lookup);
    }

    fn asked(&mut self, waiter: Token, lookup: Lookup) {
        let answer = match lookup {
            Lookup::Ready(ownership) => (Some(ownership), false),
            Lookup::Provisional(ownership) => (Some(ownership), true),
            Lookup::Pending => (None, true),
            Lookup::QueueFull => (None, false),
        };
        self.known.insert(waiter, answer);
    }

    /// What is known when the capture ends. A program that runs on calls [`CaptureResolver::flow_ended`]
    /// for each flow that is over, and forgets its ends.
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

/// How a flow began, by the first packet that is seen of it, for the end that sent it or not.
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

/// A connection of this program with itself, as a capture would show it.
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
            None => println!("{query}: nobody was asked"),
        }
    }
    Ok(())
}

#[test]
fn both_ends_are_named() -> Result<(), Box<dyn Error>> {
    let known = watch_a_connection()?;
    assert_eq!(known.len(), 2);
    for (query, owner) in known {
        let owner = owner.ok_or("nobody was asked")?;
        let pids: Vec<u32> = owner.verdict.processes().iter().map(|p| p.pid).collect();
        assert_eq!(pids, [std::process::id()], "{query}: {owner:?}");
    }
    Ok(())
}
