//! Awaits owners in asynchronous code, with only the standard library: the resolver answers on its
//! own thread, and wakes the waiting task.
//!
//! With a runtime, one of its channels does the same: the closure sends (`try_send` to a bounded
//! channel), and the task receives.

use std::collections::HashMap;
use std::future::Future;
use std::net::UdpSocket;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::SystemTime;

use flowner_attribution::{
    Attributor, Error, Initiator, Lookup, LookupRequest, Ownership, PolicyConfig, Protocol,
    Resolver, SocketQuery,
};

/// The key of a lookup in this program.
type Key = (Protocol, u16);

/// A waiting task: a waker before the answer, the answer after it.
#[derive(Default)]
struct Slot {
    waker: Option<Waker>,
    answer: Option<Ownership>,
}

type Slots = Arc<Mutex<HashMap<Key, Slot>>>;

struct Owners {
    resolver: Resolver<Key>,
    slots: Slots,
}

impl Owners {
    fn start() -> Result<Self, Error> {
        let slots = Slots::default();
        let answered = Arc::clone(&slots);
        let resolver = Resolver::spawn(
            Attributor::new()?,
            PolicyConfig::default(),
            move |event: flowner_attribution::Event<Key>| {
                let mut slots = answered.lock().unwrap_or_else(PoisonError::into_inner);
                // A caller that does not wait any more has removed the slot.
                if let Some(slot) = slots.get_mut(&event.key) {
                    slot.answer = Some(event.ownership);
                    slot.waker.take().into_iter().for_each(Waker::wake);
                }
            },
        )?;
        Ok(Self { resolver, slots })
    }

    /// The owner of a socket, as soon as the resolver has an answer.
    fn owner(&self, question: LookupRequest) -> Answer<'_> {
        let query = question.query;
        let key = (query.protocol(), query.local().port());
        let lock = |slots: &Slots, slot| {
            let mut slots = slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.insert(key, slot);
        };
        // Before the lookup, because the answer may come at once.
        lock(&self.slots, Slot::default());
        if let Lookup::Ready(answer) | Lookup::Provisional(answer) =
            self.resolver.lookup(key, question)
        {
            let answer = Some(answer);
            lock(
                &self.slots,
                Slot {
                    answer,
                    waker: None,
                },
            );
        }
        Answer { owners: self, key }
    }
}

/// An answer that is awaited. Dropping it ends the lookup.
struct Answer<'a> {
    owners: &'a Owners,
    key: Key,
}

impl Future for Answer<'_> {
    type Output = Ownership;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Ownership> {
        let slots = self.owners.slots.lock();
        let mut slots = slots.unwrap_or_else(PoisonError::into_inner);
        let slot = slots.entry(self.key).or_default();
        if let Some(answer) = slot.answer.take() {
            return Poll::Ready(answer);
        }
        slot.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        self.owners.resolver.end(self.key);
        let slots = self.owners.slots.lock();
        slots
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.key);
    }
}

/// Stands in for a runtime.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let owners = Owners::start()?;
    // A flow of this program: a real program would just have captured its first packet.
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let query = SocketQuery::udp(socket.local_addr()?, "127.0.0.1:9".parse()?);
    let question = LookupRequest::new(query, SystemTime::now(), Initiator::Local);
    let owner = block_on(owners.owner(question));
    println!("{query}: {owner}");
    Ok(())
}
