//! Owners looked up in the background, as a program does that watches flows.

use std::net::UdpSocket;
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use flowner_attribution::{
    Attributor, Lookup, Opened, PolicyConfig, Question, Service, SocketQuery, Waiter,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (sender, answers) = mpsc::channel();
    let service = Service::spawn(Attributor::new()?, PolicyConfig::default(), move |event| {
        let _ = sender.send(event);
    })?;
    // A flow of our own: in a real program, its first packet was just captured.
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let question = Question {
        query: SocketQuery::udp(socket.local_addr()?, "127.0.0.1:9".parse()?),
        seen_at: SystemTime::now(),
        opened: Opened::ByUs,
    };
    match service.lookup(Waiter(1), question) {
        Lookup::Known(ownership) | Lookup::SoFar(ownership) => {
            println!("known: {:?}", ownership.verdict);
        }
        Lookup::Refused => println!("too many questions wait"),
        Lookup::Waiting => {
            let event = answers.recv_timeout(Duration::from_secs(10))?;
            println!("flow {}: {:?}", event.waiter.0, event.ownership);
        }
    }
    service.finish();
    Ok(())
}
