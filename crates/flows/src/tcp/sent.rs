//! The captured sequence numbers of one end.

/// The number of gaps. Past that, the two nearest gaps become one, with the numbers between them:
/// these count as not captured, so they never count as a retransmission.
pub(super) const GAPS: usize = 4;

/// Sequence numbers that are further apart cannot belong to the same connection at the same time:
/// no window is larger (RFC 7323, section 2.3).
const FAR: u32 = 1 << 30;

/// The captured numbers: from `base` to `next`, except some gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sent {
    range: Option<Range>,
    /// The start and end of each gap, in order.
    gaps: [(u32, u32); GAPS],
    len: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    base: u32,
    next: u32,
}

/// What a segment contained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Added {
    /// Some of it was captured before.
    pub(super) was_seen: bool,
    /// It reaches further than all earlier segments.
    pub(super) is_new: bool,
}

impl Sent {
    /// The number after the highest that was captured.
    pub(super) fn next(&self) -> Option<u32> {
        self.range.map(|range| range.next)
    }

    fn gaps(&self) -> &[(u32, u32)] {
        &self.gaps[..usize::from(self.len)]
    }

    /// How many of these numbers were captured.
    pub(super) fn seen(&self, start: u32, len: u32) -> u32 {
        let Some(Range { base, next }) = self.range else {
            return 0;
        };
        // Distances from the base do not wrap.
        let at = |number: u32| i64::from(number.wrapping_sub(base).cast_signed());
        let (first, last) = (at(start).max(0), (at(start) + i64::from(len)).min(at(next)));
        let mut seen = (last - first).max(0);
        for (from, to) in self.gaps() {
            seen -= (last.min(at(*to)) - first.max(at(*from))).max(0);
        }
        u32::try_from(seen).unwrap_or(0)
    }

    /// Adds a segment of at least one number; `None` if it is too far from all others.
    pub(super) fn add(&mut self, start: u32, len: u32) -> Option<Added> {
        let end = start.wrapping_add(len);
        let Some(Range { base, next }) = self.range else {
            self.range = Some(Range {
                base: start,
                next: end,
            });
            return Some(Added {
                was_seen: false,
                is_new: true,
            });
        };
        let ahead = start.wrapping_sub(next).cast_signed();
        if len > FAR || ahead.unsigned_abs() > FAR {
            return None;
        }
        let was_seen = self.seen(start, len) > 0;
        let is_new = end.wrapping_sub(next).cast_signed() > 0;
        let mut range = Range { base, next };
        if ahead > 0 {
            self.open(next, start);
        } else if start.wrapping_sub(base).cast_signed() < 0 {
            range.base = start;
            if end.wrapping_sub(base).cast_signed() < 0 {
                self.open(end, base);
            }
        }
        self.close(start, end, next);
        if is_new {
            range.next = end;
        }
        self.range = Some(range);
        self.forget();
        Some(Added { was_seen, is_new })
    }

    /// Adds a gap at its position.
    fn open(&mut self, from: u32, to: u32) {
        let mut all = [(0, 0); GAPS + 1];
        let count = self.gaps().len();
        all[..count].copy_from_slice(self.gaps());
        all[count] = (from, to);
        // All are near each other.
        all[..=count].sort_unstable_by_key(|(start, _)| start.wrapping_sub(from).cast_signed());
        let mut count = count + 1;
        if count > GAPS {
            let between = |at: &usize| all[*at + 1].0.wrapping_sub(all[*at].1);
            let nearest = (0..count - 1).min_by_key(between).unwrap_or(0);
            all[nearest].1 = all[nearest + 1].1;
            all.copy_within(nearest + 2..count, nearest + 1);
            count -= 1;
        }
        self.set(&all[..count]);
    }

    /// Removes numbers from the gaps.
    fn close(&mut self, start: u32, end: u32, next: u32) {
        // Before `next`, all distances have the same sign.
        let before = |number: u32| i64::from(next.wrapping_sub(number).cast_signed());
        let mut kept = [(0, 0); 2 * GAPS];
        let mut count = 0;
        let mut keep = |from: u32, to: u32| {
            if before(from) > before(to) {
                kept[count] = (from, to);
                count += 1;
            }
        };
        for (from, to) in self.gaps() {
            if before(end) >= before(*from) || before(start) <= before(*to) {
                keep(*from, *to);
                continue;
            }
            if before(start) < before(*from) {
                keep(*from, start);
            }
            if before(end) > before(*to) {
                keep(end, *to);
            }
        }
        self.len = 0;
        for (from, to) in &kept[..count] {
            self.open(*from, *to);
        }
    }

    /// Forgets gaps that are too far behind.
    fn forget(&mut self) {
        let Some(Range { base, next }) = self.range else {
            return;
        };
        if next.wrapping_sub(base) <= FAR {
            return;
        }
        let base = next.wrapping_sub(FAR);
        self.range = Some(Range { base, next });
        let mut kept = [(0, 0); GAPS];
        let mut count = 0;
        for &(from, to) in self.gaps() {
            if to.wrapping_sub(base).cast_signed() > 0 {
                let is_before = from.wrapping_sub(base).cast_signed() < 0;
                kept[count] = (if is_before { base } else { from }, to);
                count += 1;
            }
        }
        self.set(&kept[..count]);
    }

    fn set(&mut self, gaps: &[(u32, u32)]) {
        let count = gaps.len().min(GAPS);
        self.gaps[..count].copy_from_slice(&gaps[..count]);
        self.gaps[count..].fill((0, 0));
        self.len = u8::try_from(count).unwrap_or(0);
    }
}
