//! In builds for tests, a panic can be asked for.

/// Panics if the environment of this test asks for it.
pub(crate) fn on_demand() {
    assert!(
        std::env::var_os("FLOWNER_TEST_PANIC").is_none(),
        "a panic was asked for"
    );
}
