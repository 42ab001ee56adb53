//! In test builds, a test can request a panic.

/// Panics if the environment of this test requests it.
pub(crate) fn on_demand() {
    assert!(
        std::env::var_os("FLOWNER_TEST_PANIC").is_none(),
        "a panic was asked for"
    );
}
