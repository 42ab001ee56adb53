//! The lengths of lines, and of the dashes with which they are drawn.

use roxmltree::Node;

/// The length of the shortest dash pattern that an element requests.
pub(super) fn own_dashes(element: Node<'_, '_>) -> Option<f64> {
    let of_attributes = element.attributes().filter_map(|it| match it.name() {
        "stroke-dasharray" => sum(it.value()),
        _ => dash_length(it.value()),
    });
    of_attributes.min_by(f64::total_cmp)
}

/// The same for the patterns in a style.
pub(super) fn dash_length(style: &str) -> Option<f64> {
    let lists = style.split("stroke-dasharray").skip(1);
    let lengths = lists.filter_map(|rest| {
        let value = rest.trim_start().strip_prefix(':')?;
        let end = value.find([';', '}']).unwrap_or(value.len());
        sum(&value[..end])
    });
    lengths.min_by(f64::total_cmp)
}

/// The sum of the numbers in a text, without their signs; `None` if there are none.
fn sum(mut text: &str) -> Option<f64> {
    let mut sum = None;
    while let Some(start) = text.find(|c: char| c.is_ascii_digit() || c == '.') {
        text = &text[start..];
        let end = end_of_number(text.as_bytes()).max(1);
        let number: Option<f64> = text[..end].parse().ok();
        sum = number.map(|number| number + sum.unwrap_or(0.0)).or(sum);
        text = &text[end..];
    }
    sum
}

/// Where a number ends: `1.5.5` is two, `1e-3` one, and `1em` has a unit.
fn end_of_number(text: &[u8]) -> usize {
    let digits = |start: usize| {
        let rest = text.get(start..).unwrap_or_default();
        start + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let mut end = digits(0);
    if text.get(end) == Some(&b'.') {
        end = digits(end + 1);
    }
    if let Some(b'e' | b'E') = text.get(end) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        if exponent > end + 1 + sign {
            end = exponent;
        }
    }
    end
}

/// The maximum length of an element's line. A line is no longer than the way to all of its points
/// and back; an arc is no longer than seven times its radius.
pub(super) fn line_length(element: Node<'_, '_>) -> f64 {
    const SIZES: [&str; 11] = [
        "width", "height", "r", "rx", "ry", "x", "y", "x1", "x2", "y1", "y2",
    ];
    let lengths = element.attributes().filter_map(|attribute| {
        let value = attribute.value();
        let times = match attribute.name() {
            "d" if !value.contains(['a', 'A']) => 2.0,
            "points" => 2.0,
            name if name == "d" || SIZES.contains(&name) => 7.0,
            _ => return None,
        };
        Some(times * sum(value)?)
    });
    lengths.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_paths_have_them() {
        let check = |text, expected| assert_eq!(sum(text), expected, "{text}");
        check("M1-2.5.5e1L3", Some(11.5));
        check("1e-1+1e+1,.", Some(10.1));
        check("é1é", Some(1.0));
        check("none", None);
        check("2px, 1em", Some(3.0));
        check("0.5%", Some(0.5));
        check("e", None);
    }
}
