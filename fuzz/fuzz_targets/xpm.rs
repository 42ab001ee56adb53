//! Any bytes as a picture in XPM: pixels that are whole and no larger than those of an icon,
//! or an error.

#![no_main]

use flowner_icons::{Data, Icon};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let file = [&b"/* XPM */"[..], data].concat();
    let Ok(icon) = Icon::decode(&file, 1_024) else {
        return;
    };
    let Data::Rgba {
        width,
        height,
        pixels,
    } = icon.data
    else {
        panic!("an XPM has pixels");
    };
    assert!(width.min(height) > 0 && width.max(height) <= 1_024);
    assert_eq!(pixels.len(), width as usize * height as usize * 4);
    // Each pixel is written in the file, so that it cannot ask for much memory.
    assert!(pixels.len() <= 4 * file.len());
});
