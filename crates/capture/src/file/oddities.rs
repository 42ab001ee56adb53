//! Oddities of a file that the reader accepts.

use std::fmt;

/// The oddities of a file, all of whose packets could be read so far.
///
/// Displays as a sentence, or as nothing if there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Oddities {
    /// Packets with more captured bytes than their stated length. The stated length counts.
    pub more_captured: u64,
    /// Packets whose time has a fraction of a second that is a second or more. They get the last
    /// moment of their second.
    pub fractions: u64,
    /// Blocks of a pcapng file whose length does not include their padding.
    pub lengths: u64,
}

impl Oddities {
    /// Whether there is any.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

impl fmt::Display for Oddities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [
            (
                self.more_captured,
                "packet",
                "with more captured bytes than bytes on the wire",
            ),
            (
                self.fractions,
                "packet",
                "with a fraction of a second that is more than a second",
            ),
            (
                self.lengths,
                "block",
                "with a length that leaves out the padding",
            ),
        ];
        let mut separator = "";
        for (count, noun, what) in all.into_iter().filter(|(count, ..)| *count > 0) {
            let plural = if count == 1 { "" } else { "s" };
            write!(f, "{separator}{count} {noun}{plural} {what}")?;
            separator = ", ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_display_in_words() {
        let mut oddities = Oddities::default();
        assert!(oddities.is_empty());
        assert_eq!(oddities.to_string(), "");
        oddities.more_captured = 1;
        let one = "1 packet with more captured bytes than bytes on the wire";
        assert_eq!(oddities.to_string(), one);
        oddities.more_captured = 0;
        oddities.fractions = 3;
        oddities.lengths = 2;
        assert_eq!(
            oddities.to_string(),
            "3 packets with a fraction of a second that is more than a second, 2 blocks with a \
             length that leaves out the padding"
        );
    }
}
