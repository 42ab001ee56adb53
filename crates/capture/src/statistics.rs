//! The counters of the kernel.

/// The counters of the kernel since the capture began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// Packets that passed the filter, including those that were dropped afterwards. In a capture
    /// of all devices (`any`), Linux counts those on its loopback device twice, as they leave and
    /// as they come back, though it delivers them once. Other systems may count all packets;
    /// `pcap_stats(3PCAP)` has the differences.
    pub received: u64,
    /// Packets that found no room in the buffer, because the program did not read fast enough.
    pub dropped_by_kernel: u64,
    /// Packets that the device or its driver dropped, if it reports them.
    pub dropped_by_interface: u64,
}

/// Extends libpcap's 32-bit counters.
#[derive(Debug)]
pub(crate) struct Totals {
    last: pcap::Stat,
    sum: Statistics,
}

impl Totals {
    pub(crate) const fn new() -> Self {
        Self {
            last: pcap::Stat {
                received: 0,
                dropped: 0,
                if_dropped: 0,
            },
            sum: Statistics {
                received: 0,
                dropped_by_kernel: 0,
                dropped_by_interface: 0,
            },
        }
    }

    /// The totals when the counters are at `now`. Right as long as fewer than 2³² packets pass
    /// between two calls.
    pub(crate) fn advance(&mut self, now: pcap::Stat) -> Statistics {
        let Self { last, sum } = self;
        let grown = |now: u32, last: u32| u64::from(now.wrapping_sub(last));
        sum.received += grown(now.received, last.received);
        sum.dropped_by_kernel += grown(now.dropped, last.dropped);
        sum.dropped_by_interface += grown(now.if_dropped, last.if_dropped);
        *last = now;
        *sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_continue_past_32_bits() {
        let mut totals = Totals::new();
        let mut check = |received, dropped, if_dropped, expected: [u64; 3]| {
            let sum = totals.advance(pcap::Stat {
                received,
                dropped,
                if_dropped,
            });
            let actual = [
                sum.received,
                sum.dropped_by_kernel,
                sum.dropped_by_interface,
            ];
            assert_eq!(actual, expected);
        };
        check(10, 1, 0, [10, 1, 0]);
        check(u32::MAX, 1, 5, [u64::from(u32::MAX), 1, 5]);
        check(9, 2, 5, [u64::from(u32::MAX) + 10, 2, 5]);
    }
}
