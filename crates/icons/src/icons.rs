//! Pictures without waiting: a thread finds them, and reports each one.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::cache::{Answer, Cache};
use crate::{Finder, Icon, IconRequest, Locale, Places};

/// The maximum number of requests that wait for the thread. A request that does not fit comes again
/// when the picture is shown the next time.
const MAX_WAITING: usize = 256;
/// The minimum time between two checks whether directories changed.
const REFRESH: Duration = Duration::from_secs(30);
/// The maximum number of pictures in the cache.
const MAX_ICONS: usize = 2_048;
/// The maximum bytes of pictures to keep.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// The options for pictures.
#[derive(Debug, Clone)]
pub struct IconOptions {
    /// The directories of entries and themes.
    pub places: Places,
    /// The language of names, which does not affect pictures.
    pub locale: Locale,
    /// Pixels of a side on a screen of scale 1.
    pub size: u32,
    /// The scale of the screen, 2 for one with very small pixels.
    pub scale: u32,
    /// Whether documents in SVG are drawn, so that all pictures are
    /// [`Rgba`](crate::Data::Rgba); needs the feature `render`, and is ignored without.
    pub rasterised: bool,
}

impl Default for IconOptions {
    /// Those of this user, with 48 pixels.
    fn default() -> Self {
        Self {
            places: Places::of_this_user(),
            locale: Locale::current(),
            size: 48,
            scale: 1,
            rasterised: false,
        }
    }
}

/// Gives the pictures of programs at once: a letter first, and the picture as soon as a thread has
/// found it. Reads nothing before the first request.
///
/// ```
/// use std::time::Duration;
/// use flowner_icons::{IconOptions, Icons, IconRequest};
///
/// let icons = Icons::start(IconOptions::default(), |generation| {
///     // On the thread that finds them: have the window drawn again.
/// })?;
/// let request = IconRequest {
///     key: "app:org.mozilla.firefox".to_owned(),
///     name: "Firefox".to_owned(),
///     application_id: Some("org.mozilla.firefox".to_owned()),
///     ..IconRequest::default()
/// };
/// let letter = icons.icon(&request);
/// // An application draws, and gets a notice; here we wait.
/// icons.wait(0, Duration::from_millis(100));
/// let perhaps_better = icons.icon(&request);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Icons {
    shared: Arc<Shared>,
    sender: Option<SyncSender<IconRequest>>,
    thread: Option<JoinHandle<()>>,
    rasterised: Option<u32>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    cache: Cache,
    generation: u64,
    /// When the thread last checked the folders.
    refreshed: Instant,
}

impl Icons {
    /// Starts the thread. The thread calls `on_change` after pictures have come, with the new
    /// [`generation`](Self::generation). `on_change` must not block.
    ///
    /// # Errors
    /// If the system has no more threads.
    pub fn start(
        options: IconOptions,
        on_change: impl Fn(u64) + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                cache: Cache::new(MAX_ICONS, MAX_BYTES),
                generation: 0,
                refreshed: Instant::now(),
            }),
            changed: Condvar::new(),
        });
        let (sender, receiver) = sync_channel(MAX_WAITING);
        let pixels = options.size.saturating_mul(options.scale.max(1));
        let rasterised = options.rasterised.then_some(pixels);
        let worker = Worker {
            shared: Arc::clone(&shared),
            options,
            rasterised,
            on_change,
            finder: None,
        };
        let thread = std::thread::Builder::new()
            .name("flowner-icons".to_owned())
            .spawn(move || worker.run(&receiver))?;
        Ok(Self {
            shared,
            sender: Some(sender),
            thread: Some(thread),
            rasterised,
        })
    }

    /// The picture of a program, if it is known. Otherwise returns a letter, and the thread
    /// searches for the picture. Takes about a microsecond.
    pub fn icon(&self, request: &IconRequest) -> Icon {
        let mut state = self.shared.state();
        let tile = |request: &IconRequest| tile(request, self.rasterised);
        let Answer { icon, look } = state.cache.show(request, tile);
        let is_due = state.refreshed.elapsed() >= REFRESH;
        drop(state);
        if (look || is_due) && !request.is_unknown_here {
            self.ask(request);
        }
        icon
    }

    /// Grows with each picture that takes the place of a letter.
    pub fn generation(&self) -> u64 {
        self.shared.state().generation
    }

    /// Waits until the generation differs from `seen`, at most for `timeout`. Returns the
    /// generation then.
    pub fn wait(&self, seen: u64, timeout: Duration) -> u64 {
        let is_same = |state: &mut State| state.generation == seen;
        let state = self.shared.state();
        let waited = self
            .shared
            .changed
            .wait_timeout_while(state, timeout, is_same);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.generation
    }

    fn ask(&self, request: &IconRequest) {
        let Some(sender) = &self.sender else {
            return;
        };
        if let Err(TrySendError::Full(_)) = sender.try_send(request.clone()) {
            self.shared.state().cache.not_asked(&request.key);
        }
    }
}

impl Drop for Icons {
    fn drop(&mut self) {
        // The thread ends when its channel closes.
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            let _defect = thread.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread.
struct Worker<F> {
    shared: Arc<Shared>,
    options: IconOptions,
    rasterised: Option<u32>,
    on_change: F,
    finder: Option<Finder>,
}

impl<F: Fn(u64)> Worker<F> {
    fn run(mut self, receiver: &Receiver<IconRequest>) {
        while let Ok(first) = receiver.recv() {
            let mut has_changed = self.refresh();
            // One notice covers all pictures that came meanwhile.
            let more = receiver.try_iter().take(MAX_WAITING);
            for request in [first].into_iter().chain(more) {
                has_changed |= self.find(&request);
            }
            if has_changed {
                let generation = self.shared.state().generation;
                self.shared.changed.notify_all();
                (self.on_change)(generation);
            }
        }
    }

    fn find(&mut self, request: &IconRequest) -> bool {
        let options = &self.options;
        let finder = self
            .finder
            .get_or_insert_with(|| Finder::new(options.places.clone(), options.locale.clone()));
        let found = finder.icon(&request.subject(), options.size, options.scale);
        let found = found.and_then(|icon| drawn(&icon, self.rasterised));
        let tile = |request: &IconRequest| tile(request, self.rasterised);
        let mut state = self.shared.state();
        let has_changed = state.cache.settle(request, found, tile);
        state.generation += u64::from(has_changed);
        has_changed
    }

    /// Checks whether directories changed, unless the last check is recent.
    fn refresh(&mut self) -> bool {
        let mut state = self.shared.state();
        if state.refreshed.elapsed() < REFRESH {
            return false;
        }
        state.refreshed = Instant::now();
        drop(state);
        let has_changed = self.finder.as_mut().is_some_and(Finder::refresh);
        if has_changed {
            let mut state = self.shared.state();
            state.cache.age();
            state.generation += 1;
        }
        has_changed
    }
}

fn tile(request: &IconRequest, rasterised: Option<u32>) -> Icon {
    let tile = request.tile();
    drawn(&tile, rasterised).unwrap_or(tile)
}

/// Converts a picture to pixels if the options want that; `None` if it cannot be drawn.
fn drawn(icon: &Icon, rasterised: Option<u32>) -> Option<Icon> {
    match rasterised {
        Some(size) => icon.rendered(size),
        None => Some(icon.clone()),
    }
}

#[cfg(test)]
mod tests;
