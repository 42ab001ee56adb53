//! Which process owns this port or address?
//!
//! ```text
//! cargo run --example who -- 443
//! cargo run --example who -- 127.0.0.1:5432
//! ```

use std::error::Error;
use std::net::SocketAddr;

use flowner_attribution::{Attributor, Socket};

fn main() -> Result<(), Box<dyn Error>> {
    let wanted = std::env::args()
        .nth(1)
        .ok_or("usage: who PORT | ADDRESS:PORT")?;
    let is_wanted = |socket: &&Socket| match wanted.parse::<SocketAddr>() {
        Ok(address) => socket.local == address,
        Err(_) => socket.local.port().to_string() == wanted,
    };
    let snapshot = Attributor::new()?.snapshot()?;
    for socket in snapshot.sockets().iter().filter(is_wanted) {
        println!("{} {} {}", socket.protocol, socket.local, socket.owner);
    }
    Ok(())
}
