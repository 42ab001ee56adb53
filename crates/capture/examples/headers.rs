//! The headers of a capture file, or of a device: `headers FILE`, `headers -i DEVICE`.

use std::env;

use flowner_capture::{Error, LiveOptions, Next, Source};

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let mut source = match arguments.as_slice() {
        [file] => Source::file(file, None)?,
        [flag, device] if flag == "-i" => Source::live(&LiveOptions {
            device: device.clone(),
            ..LiveOptions::default()
        })?,
        _ => Source::stdin(None)?,
    };
    loop {
        let packet = match source.next()? {
            Next::Packet(packet) => packet,
            Next::Idle => continue,
            Next::Stopped | Next::End => return Ok(()),
        };
        match packet.headers() {
            Ok(headers) => println!("{headers:?}"),
            Err(error) => println!("{error}"),
        }
    }
}
