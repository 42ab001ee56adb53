//! Looks up owners in the background, as a program does that watches flows.

use std::net::UdpSocket;
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use flowner_attribution::{
    Attributor, Initiator, Lookup, LookupRequest, PolicyConfig, Resolver, SocketQuery, Token,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (sender, answers) = mpsc::channel();
    let resolver = Resolver::spawn(Attributor::new()?, PolicyConfig::default(), move |event| {
        let _ = sender.send(event);
    })?;
    // A flow of this program: a real program would just have captured its first packet.
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let question = LookupRequest::new(
        SocketQuery::udp(socket.local_addr()?, "127.0.0.1:9".parse()?),
        SystemTime::now(),
        Initiator::Local,
    );
    match resolver.lookup(Token(1), question) {
        Lookup::Ready(ownership) | Lookup::Provisional(ownership) => {
            println!("known: {:?}", ownership.verdict);
        }
        Lookup::QueueFull => println!("too many questions wait"),
        Lookup::Pending => {
            let event = answers.recv_timeout(Duration::from_secs(10))?;
            println!("flow {}: {:?}", event.key.0, event.ownership);
        }
    }
    resolver.finish();
    Ok(())
}
