//! What this host knows of addresses without asking anybody: its hosts file, and the databases of
//! countries and networks that are installed. `places ADDRESS...`; some well-known ones without.

use std::net::IpAddr;

use flowner_names::geo::{GeoDatabases, usual_databases};
use flowner_names::ranges::Range;
use flowner_names::{HostsFile, registrable_domain};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut addresses = Vec::new();
    for argument in std::env::args().skip(1) {
        addresses.push(argument.parse::<IpAddr>()?);
    }
    if addresses.is_empty() {
        for known in ["127.0.0.1", "192.168.1.1", "9.9.9.9", "2001:db8::1"] {
            addresses.push(known.parse()?);
        }
    }
    let mut file = HostsFile::of_system();
    if let Err(error) = file.refresh() {
        eprintln!("{}: {error}", file.path().display());
    }
    let (databases, errors) = GeoDatabases::open(usual_databases());
    for error in errors {
        eprintln!("{error}");
    }
    for address in addresses {
        println!("{address}");
        for name in file.hosts().names_of(address) {
            // What a file says is text of others: `escape_debug` keeps it from the terminal.
            let domain = registrable_domain(name).unwrap_or("none");
            println!("  name {}, registered {domain}", name.escape_debug());
        }
        if let Some(range) = Range::of(address) {
            println!("  range {}", range.name());
        }
        let place = databases.place_of(address);
        if let Some(country) = &place.country {
            println!("  country {}", country.code.escape_debug());
        }
        if let Some(network) = &place.network_name {
            println!("  network {}", network.escape_debug());
        }
    }
    Ok(())
}
