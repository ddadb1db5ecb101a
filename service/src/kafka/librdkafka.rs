//! What librdkafka offers and its Rust crate does not: the only place that calls it past that crate.
//!
//! - [`Bell`] tells the runtime when a client has something to say, instead of a thread that waits for
//!   it: a delivery then wakes one thread and not two, and the requests that it answers are woken by
//!   the worker that answers them. The crate has this for consumers alone
//!   (`rd_kafka_queue_cb_event_enable`, librdkafka's `rdkafka.h`).
//! - [`add_brokers`] tells a client of brokers to ask (`rd_kafka_brokers_add`).
#![allow(unsafe_code)]

use std::ffi::{CStr, c_void};
use std::ptr::null_mut;
use std::sync::Arc;

use rdkafka::ClientContext;
use rdkafka::bindings::{
    rd_kafka_brokers_add, rd_kafka_queue_cb_event_enable, rd_kafka_queue_destroy,
    rd_kafka_queue_get_main, rd_kafka_queue_length, rd_kafka_queue_t, rd_kafka_t,
};
use rdkafka::client::Client;
use tokio::sync::Notify;

/// Rings when the queue of a client's events is no longer empty. Drop it before its client.
#[derive(Debug)]
pub struct Bell {
    queue: *mut rd_kafka_queue_t,
    /// librdkafka has its address for as long as `self` lives.
    rung: Arc<Notify>,
}

// SAFETY: librdkafka's queues may be used from any thread: each call takes the queue's own lock.
unsafe impl Send for Bell {}
// SAFETY: as above.
unsafe impl Sync for Bell {}

impl Bell {
    /// The bell of `client`.
    #[must_use]
    pub fn of<C: ClientContext>(client: &Client<C>, rung: Arc<Notify>) -> Self {
        // SAFETY: the pointer is the client's own, which is alive; what comes is ours to destroy.
        let queue = unsafe { rd_kafka_queue_get_main(client.native_ptr()) };
        let told = Arc::as_ptr(&rung).cast_mut().cast::<c_void>();
        // SAFETY: `told` points into `rung`, which outlives the callback (see `drop`).
        unsafe { rd_kafka_queue_cb_event_enable(queue, Some(ring), told) };
        Self { queue, rung }
    }

    /// Told when it rings.
    #[must_use]
    pub fn rung(&self) -> &Arc<Notify> {
        &self.rung
    }

    /// Whether there is something to be heard. It rings once for all that comes until this is false.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        // SAFETY: the queue is ours until `drop`.
        unsafe { rd_kafka_queue_length(self.queue) > 0 }
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        // SAFETY: the queue is ours. librdkafka calls back with the queue's lock held and takes it
        // here, so that nothing is being called when this is done, and nothing is after it.
        unsafe {
            rd_kafka_queue_cb_event_enable(self.queue, None, null_mut());
            rd_kafka_queue_destroy(self.queue);
        }
    }
}

/// Called by librdkafka's threads with the queue's lock held: it must not block, nor call librdkafka.
unsafe extern "C" fn ring(_client: *mut rd_kafka_t, told: *mut c_void) {
    // SAFETY: as given to `rd_kafka_queue_cb_event_enable`, which is withdrawn before `rung` goes.
    let rung = unsafe { &*told.cast::<Notify>() };
    rung.notify_one();
}

/// Tells a client of brokers that it may ask, `host:port` and separated by commas. How many it took.
pub(super) fn add_brokers<C: ClientContext>(client: &Client<C>, brokers: &CStr) -> i32 {
    // SAFETY: the pointer is the client's own, which is alive; the text is copied.
    unsafe { rd_kafka_brokers_add(client.native_ptr(), brokers.as_ptr()) }
}
