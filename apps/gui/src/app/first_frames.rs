//! The first frames in a theme: until they are drawn, the theme is on trial.

use crate::settings::{Settings, Store};
use crate::theme::Scheme;
use crate::trial::Trial;

/// A theme was drawn when the frame after these begins: the runtime reports the beginning of a frame,
/// and each second one has another ground, see [`style::ground`](crate::theme::style::ground).
const FRAMES: u8 = 2;

/// How often a theme was drawn, until that is often enough.
#[derive(Debug)]
pub(super) struct FirstFrames {
    /// Until then.
    trial: Option<Trial>,
    begun: u8,
}

impl FirstFrames {
    /// From now on this theme is drawn. To be called before the choice is kept: it may be the
    /// last that the app does.
    pub(super) fn begin(store: &Store, scheme: Scheme) -> Self {
        Self {
            trial: store.trials().begin(scheme),
            begun: 0,
        }
    }

    /// Whether the app needs to know when a frame begins.
    pub(super) const fn are_awaited(&self) -> bool {
        self.trial.is_some()
    }

    /// A frame begins.
    pub(super) fn begun(&mut self) {
        self.begun = self.begun.saturating_add(1);
        if self.begun > FRAMES {
            self.trial = None;
        }
    }
}

/// Takes the default theme in place of one that an earlier app did not live to draw, which is
/// given.
pub(super) fn fall_back(store: &Store, settings: &mut Settings) -> Option<Scheme> {
    let mut fallen = None;
    for failed in store.trials().failed() {
        let is_chosen = [fallen, Some(settings.scheme)].contains(&Some(failed.scheme));
        if failed.scheme == Scheme::default() || !is_chosen {
            failed.forget();
            continue;
        }
        fallen = Some(failed.scheme);
        settings.scheme = Scheme::default();
        // Where the choice cannot be taken back, the mark stays in its place.
        if store.save(settings).is_ok() {
            failed.forget();
        }
    }
    fallen
}

/// That this theme was not drawn, and which one is used in its place.
pub(super) fn say(failed: Scheme, used: Scheme) -> String {
    format!(
        "The app ended before it had drawn the theme {}, so it uses {} now; Settings (,) can \
         change that",
        failed.name(),
        used.name()
    )
}
