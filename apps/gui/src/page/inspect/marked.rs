//! What is wrong with a filter, and where.

use flowner_core::FilterError;

/// The filter with marks below what is wrong.
pub(super) fn marked(error: &FilterError) -> String {
    let rendered = error.render();
    rendered
        .split_once('\n')
        .map_or(String::new(), |(_, lines)| lines.to_owned())
}
