//! Other systems: one capture, without the origin of packets.

use std::time::Duration;

use pcap::{Active, Capture};

use super::{Described, Opened, link_type_of, set_filter};
use crate::error::Error;
use crate::live_options::{self, LiveOptions};

#[derive(Debug)]
pub(crate) struct Teller;

pub(crate) fn open(options: &LiveOptions) -> Result<Opened, Error> {
    let mut capture = live_options::activate(options)?;
    let link_type = link_type_of(&capture, &options.device)?;
    if let Some(filter) = &options.filter {
        set_filter(&mut capture, filter)?;
    }
    Ok(Opened {
        captures: vec![capture],
        link_type,
        teller: Teller,
    })
}

/// There is no such device.
pub(crate) const fn take_all_frames(_capture: &Capture<Active>, _devices: Option<&[String]>) {}

impl Teller {
    #[allow(
        clippy::unused_self,
        clippy::ptr_arg,
        clippy::needless_pass_by_ref_mut,
        reason = "elsewhere there is something to tell"
    )]
    pub(crate) fn tell(
        &mut self,
        _capture: usize,
        _time: Duration,
        _data: &mut Vec<u8>,
    ) -> Described {
        Described::default()
    }

    #[allow(
        clippy::unused_self,
        clippy::needless_pass_by_ref_mut,
        reason = "elsewhere something may have changed"
    )]
    pub(crate) fn catch_up(&mut self) {}
}
