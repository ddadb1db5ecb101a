//! epoll, and the timer that wakes it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::read;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags};

/// Events taken at once.
const EVENTS: usize = 512;

/// Which connection an event is of.
pub(crate) type Token = u64;

/// No connection: the timer.
const TIMER: Token = u64::MAX;

/// Waits for connections, and for points in time.
///
/// epoll's own time-out has whole milliseconds, too coarse for thousands of requests a second; a
/// timer of the kernel has nanoseconds. Everything is edge-triggered, so that a connection is
/// registered once and for all.
pub(crate) struct Poll {
    epoll: OwnedFd,
    /// Kept open; the epoll watches it.
    timer: Option<OwnedFd>,
    events: Vec<epoll::Event>,
}

impl Poll {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            timer: None,
            events: Vec::with_capacity(EVENTS),
        })
    }

    /// From now on a wait ends at every multiple of `tick`.
    pub(crate) fn wake_every(&mut self, tick: Duration) -> io::Result<()> {
        let timer = timer(tick)?;
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&self.epoll, &timer, epoll::EventData::new_u64(TIMER), flags)?;
        self.timer = Some(timer);
        Ok(())
    }

    /// Tells from now on what happens on a connection, until it is closed.
    pub(crate) fn watch(&self, connection: impl AsFd, token: Token) -> io::Result<()> {
        let flags = epoll::EventFlags::IN
            | epoll::EventFlags::OUT
            | epoll::EventFlags::RDHUP
            | epoll::EventFlags::ET;
        let data = epoll::EventData::new_u64(token);
        Ok(epoll::add(&self.epoll, connection, data, flags)?)
    }

    /// Waits until something happens or `at_most` is over; returns on how many connections.
    pub(crate) fn wait(&mut self, at_most: Duration) -> io::Result<usize> {
        self.events.clear();
        let at_most = Timespec::try_from(at_most).map_err(io::Error::other)?;
        match epoll::wait(
            &self.epoll,
            spare_capacity(&mut self.events),
            Some(&at_most),
        ) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let happened = self.events.len();
        self.events.retain(|event| token(event) != TIMER);
        if self.events.len() < happened {
            self.rewind()?;
        }
        Ok(self.events.len())
    }

    /// The kernel starts a timer anew when its count is read.
    fn rewind(&self) -> io::Result<()> {
        let mut count = [0; 8];
        match self.timer.as_ref().map(|timer| read(timer, &mut count)) {
            None | Some(Ok(_) | Err(rustix::io::Errno::AGAIN)) => Ok(()),
            Some(Err(error)) => Err(error.into()),
        }
    }

    /// The connection of one of the events that the last wait returned.
    pub(crate) fn event(&self, index: usize) -> Option<Token> {
        self.events.get(index).map(token)
    }
}

fn token(event: &epoll::Event) -> Token {
    let data = event.data;
    data.u64()
}

fn timer(tick: Duration) -> io::Result<OwnedFd> {
    let timer = rustix::time::timerfd_create(
        TimerfdClockId::Monotonic,
        TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK,
    )?;
    let tick = Timespec::try_from(tick).map_err(io::Error::other)?;
    let every = Itimerspec {
        it_interval: tick,
        it_value: tick,
    };
    rustix::time::timerfd_settime(&timer, TimerfdTimerFlags::empty(), &every)?;
    Ok(timer)
}
