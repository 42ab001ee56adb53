//! Names the sender of each arriving datagram, by the kernel's time of the datagram
//! (`SO_TIMESTAMPNS`, socket(7)): a program that reads late gets the sender at that time, and never
//! a later owner of the same port.
//!
//! ```text
//! cargo run --example packet_times            # then, elsewhere: echo hello | nc -u 127.0.0.1 PORT
//! ```

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("this example reads the times of packets as Linux gives them");
}

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let socket = linux::socket()?;
    println!("send datagrams to {}", socket.local_addr()?);
    linux::watch(&socket, usize::MAX, |sender, owner| {
        println!("{sender}: {owner}");
    })
}

#[cfg(target_os = "linux")]
mod linux {
    use std::error::Error;
    use std::io::IoSliceMut;
    use std::net::{SocketAddr, UdpSocket};
    use std::os::fd::AsRawFd;
    use std::sync::mpsc;
    use std::time::{Duration, SystemTime};

    use flowner_attribution::{
        Attributor, Initiator, LookupRequest, Ownership, PolicyConfig, Resolver, SocketQuery, Token,
    };
    use nix::sys::socket::{
        ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, setsockopt, sockopt,
    };
    use nix::sys::time::TimeSpec;

    /// How long this waits for one sender. A real program goes on, and takes answers as they come.
    const PATIENCE: Duration = Duration::from_secs(5);

    pub(super) fn socket() -> Result<UdpSocket, Box<dyn Error>> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        Ok(socket)
    }

    /// Reports the senders of `count` datagrams.
    pub(super) fn watch(
        socket: &UdpSocket,
        datagrams: usize,
        mut tell: impl FnMut(SocketAddr, Ownership),
    ) -> Result<(), Box<dyn Error>> {
        let local = socket.local_addr()?;
        let (sender, answers) = mpsc::channel();
        let resolver =
            Resolver::spawn(Attributor::new()?, PolicyConfig::default(), move |event| {
                let _ = sender.send((event.key, event.ownership));
            })?;
        for number in 0..datagrams {
            let (from, captured_at) = receive(socket)?;
            // The end to look up comes first. It sent this packet.
            let query = SocketQuery::udp(from, local).as_sender();
            let request = LookupRequest::new(query, captured_at, Initiator::Local);
            let key = Token(number as u64);
            let known = resolver.lookup(key, request).ownership();
            let late = || {
                let answer = answers.recv_timeout(PATIENCE).ok()?;
                (answer.0 == key).then_some(answer.1)
            };
            if let Some(owner) = known.or_else(late) {
                tell(from, owner);
            }
            resolver.end(key);
        }
        Ok(())
    }

    /// The sender of the next datagram, and the kernel's time of it.
    fn receive(socket: &UdpSocket) -> Result<(SocketAddr, SystemTime), Box<dyn Error>> {
        let mut space = nix::cmsg_space!(TimeSpec);
        let mut data = [0; 2048];
        let mut data = [IoSliceMut::new(&mut data)];
        let received = recvmsg::<SockaddrIn>(
            socket.as_raw_fd(),
            &mut data,
            Some(&mut space),
            MsgFlags::empty(),
        )?;
        let from = received.address.ok_or("no sender")?;
        let from = SocketAddr::from((from.ip(), from.port()));
        let time = received.cmsgs()?.find_map(|message| match message {
            // By the wall clock, as all times of packets here (`CLOCK_REALTIME`).
            ControlMessageOwned::ScmTimestampns(time) => Some(Duration::from(time)),
            _ => None,
        });
        let captured_at = SystemTime::UNIX_EPOCH + time.ok_or("no time")?;
        Ok((from, captured_at))
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_sender_is_named_by_the_time_of_the_kernel() -> Result<(), Box<dyn std::error::Error>> {
    let socket = linux::socket()?;
    let client = std::net::UdpSocket::bind("127.0.0.1:0")?;
    client.send_to(b"x", socket.local_addr()?)?;
    let mut senders = Vec::new();
    linux::watch(&socket, 1, |from, owner| senders.push((from, owner)))?;
    let (from, owner) = senders.pop().ok_or("no answer")?;
    assert_eq!(from, client.local_addr()?);
    let pids: Vec<u32> = owner.verdict.processes().iter().map(|it| it.pid).collect();
    assert_eq!(pids, [std::process::id()], "{owner:?}");
    Ok(())
}
