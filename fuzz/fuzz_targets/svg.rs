//! Any bytes as a picture: a document in SVG that is not refused is drawn, in little time.

#![no_main]

use flowner_icons::{Data, Icon};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(icon) = Icon::decode(data, 48) else {
        return;
    };
    // The picture may be invisible.
    let Some(drawn) = icon.rendered(48) else {
        return;
    };
    assert!(matches!(icon.data, Data::Rgba { .. }) || drawn.size == 48);
    assert!(drawn.to_png().is_some());
});
