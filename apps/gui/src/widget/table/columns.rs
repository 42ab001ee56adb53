//! How wide columns are, given how wide the table is.

use super::metrics::PADDING;
use super::{Head, Width};

/// The left edge and the width of each column, padding included; content begins and ends
/// at `inset`. Where there is no room for all, they reach beyond the table.
pub(super) fn place(heads: &[Head], room: f32, inset: f32) -> Vec<(f32, f32)> {
    let from = inset - PADDING;
    let room = room - 2.0 * from;
    let is_narrow = heads.iter().map(least).sum::<f32>() > room;
    let least = |head: &Head| {
        if is_narrow && head.yields {
            0.0
        } else {
            least(head)
        }
    };
    let share = |head: &Head| match head.width {
        Width::Fixed(_) => 0.0,
        Width::Share(share, _) => share,
    };
    let left = (room - heads.iter().map(least).sum::<f32>()).max(0.0);
    let shares = heads.iter().map(share).sum::<f32>().max(f32::EPSILON);
    let mut edge = from;
    let widths = heads
        .iter()
        .map(|head| (least(head) + left * share(head) / shares).floor());
    widths
        .map(|width| {
            let column = (edge, width);
            edge += width;
            column
        })
        .collect()
}

fn least(head: &Head) -> f32 {
    match head.width {
        Width::Fixed(width) | Width::Share(_, width) => width,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Align;
    use super::*;

    #[track_caller]
    fn check(widths: &[Width], room: f32, expected: &[(f32, f32)]) {
        let head = |width: &Width| Head {
            title: "",
            width: *width,
            align: Align::Left,
            unit: 0.0,
            yields: false,
        };
        let heads: Vec<_> = widths.iter().map(head).collect();
        assert_eq!(place(&heads, room, PADDING), expected);
    }

    #[test]
    fn what_is_left_is_shared() {
        let widths = [
            Width::Fixed(50.0),
            Width::Share(1.0, 20.0),
            Width::Share(3.0, 30.0),
        ];
        check(&widths, 200.0, &[(0.0, 50.0), (50.0, 45.0), (95.0, 105.0)]);
        check(&widths, 60.0, &[(0.0, 50.0), (50.0, 20.0), (70.0, 30.0)]);
        check(&[], 60.0, &[]);
    }
}
