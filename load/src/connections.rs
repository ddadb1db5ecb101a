//! The sender's connections: opened without waiting, one request at a time on each.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, ipproto, socket_with, sockopt};

use crate::ledger::Failure;
use crate::poll::{Poll, Token};
use crate::response::{self, Answer, Reading};

/// An answer is read in one piece nearly always.
const SCRATCH: usize = 16 * 1024;

/// A connection's place.
pub(crate) type Slot = usize;

/// What a connection has to say.
#[derive(Debug)]
pub(crate) enum Heard {
    /// The request's last byte was written just now: it had to wait for the connection.
    Written,
    /// The answer. The connection takes another request, unless it is the last one.
    Answer(Answer),
    /// It is gone.
    Ended(Failure),
}

/// Connections to one address.
pub(crate) struct Connections {
    address: SocketAddr,
    poll: Poll,
    slots: Vec<Option<Connection>>,
    free: Vec<Slot>,
    /// How many are not established yet.
    opening: usize,
    /// Tells a connection from an earlier one in the same place.
    generation: u32,
    scratch: Box<[u8]>,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    generation: u32,
    established: bool,
    /// What of the request is not written yet.
    unsent: Vec<u8>,
    /// The part of an answer that has come.
    received: Vec<u8>,
}

impl Connections {
    /// None yet.
    pub(crate) fn new(address: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            address,
            poll: Poll::new()?,
            slots: Vec::new(),
            free: Vec::new(),
            opening: 0,
            generation: 0,
            scratch: vec![0; SCRATCH].into(),
        })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// How many of them are still being opened.
    pub(crate) fn opening(&self) -> usize {
        self.opening
    }

    /// From now on a wait ends at every multiple of `tick`.
    pub(crate) fn wake_every(&mut self, tick: Duration) -> io::Result<()> {
        self.poll.wake_every(tick)
    }

    /// Begins to open another one.
    pub(crate) fn open(&mut self) -> io::Result<Slot> {
        let socket = socket(self.address)?;
        let established = match connect(&socket, &self.address) {
            Ok(()) => true,
            Err(rustix::io::Errno::INPROGRESS) => false,
            Err(error) => return Err(error.into()),
        };
        self.generation = self.generation.wrapping_add(1);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        let watched = self.poll.watch(&socket, token(slot, self.generation));
        self.slots[slot] = Some(Connection {
            stream: socket.into(),
            generation: self.generation,
            established,
            unsent: Vec::new(),
            received: Vec::new(),
        });
        self.opening += usize::from(!established);
        watched.inspect_err(|_| self.close(slot))?;
        Ok(slot)
    }

    /// Sends a request; says whether it is written whole. If not, [`Heard::Written`] follows.
    pub(crate) fn send(&mut self, slot: Slot, request: &[u8]) -> Result<bool, Failure> {
        let Some(connection) = self.slots[slot].as_mut() else {
            return Err(Failure::Closed);
        };
        connection.unsent.clear();
        if !connection.established {
            connection.unsent.extend_from_slice(request);
            return Ok(false);
        }
        let written = write(&mut connection.stream, request);
        match written {
            Ok(written) => {
                connection.unsent.extend_from_slice(&request[written..]);
                Ok(connection.unsent.is_empty())
            }
            Err(failure) => {
                self.close(slot);
                Err(failure)
            }
        }
    }

    /// Closes a connection at once.
    pub(crate) fn close(&mut self, slot: Slot) {
        if let Some(closed) = self.slots[slot].take() {
            self.opening -= usize::from(!closed.established);
            self.free.push(slot);
        }
    }

    /// Waits until something happens, at most this long; returns on how many connections.
    pub(crate) fn wait(&mut self, at_most: Duration) -> io::Result<usize> {
        self.poll.wait(at_most)
    }

    /// What happened, for each number below what [`Self::wait`] returned. After [`Heard::Written`]
    /// there may be more. A connection that ended, or whose answer was the last, is closed.
    pub(crate) fn hear(&mut self, event: usize) -> Option<(Slot, Heard)> {
        let (slot, generation) = place(self.poll.event(event)?);
        let connection = self.slots.get_mut(slot)?.as_mut()?;
        if connection.generation != generation {
            return None;
        }
        let was_opening = !connection.established;
        let heard = connection.hear(&mut self.scratch);
        self.opening -= usize::from(was_opening && connection.established);
        let heard = heard?;
        if matches!(
            heard,
            Heard::Ended(_) | Heard::Answer(Answer { last: true, .. })
        ) {
            self.close(slot);
        }
        Some((slot, heard))
    }
}

impl Connection {
    fn hear(&mut self, scratch: &mut [u8]) -> Option<Heard> {
        if !self.established {
            match self.stream.take_error() {
                Ok(None) => self.established = self.stream.peer_addr().is_ok(),
                Ok(Some(error)) | Err(error) => return Some(Heard::Ended(Failure::of(&error))),
            }
            if !self.established {
                return None;
            }
        }
        if !self.unsent.is_empty() {
            match write(&mut self.stream, &self.unsent) {
                Ok(written) => drop(self.unsent.drain(..written)),
                Err(failure) => return Some(Heard::Ended(failure)),
            }
            if self.unsent.is_empty() {
                return Some(Heard::Written);
            }
        }
        self.read(scratch)
    }

    fn read(&mut self, scratch: &mut [u8]) -> Option<Heard> {
        loop {
            let read = match self.stream.read(scratch) {
                Ok(0) => return Some(Heard::Ended(Failure::Closed)),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Some(Heard::Ended(Failure::of(&error))),
            };
            let reading = if self.received.is_empty() {
                response::read(&scratch[..read])
            } else {
                self.received.extend_from_slice(&scratch[..read]);
                response::read(&self.received)
            };
            match reading {
                Reading::Whole(answer) => {
                    self.received.clear();
                    return Some(Heard::Answer(answer));
                }
                Reading::Foreign => return Some(Heard::Ended(Failure::Foreign)),
                Reading::Part if self.received.is_empty() => {
                    self.received.extend_from_slice(&scratch[..read]);
                }
                Reading::Part => {}
            }
        }
    }
}

/// A socket that waits for nothing.
fn socket(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    Ok(socket)
}

/// Writes what the socket takes.
fn write(stream: &mut TcpStream, bytes: &[u8]) -> Result<usize, Failure> {
    loop {
        match stream.write(bytes) {
            Ok(written) => return Ok(written),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Failure::of(&error)),
        }
    }
}

fn token(slot: Slot, generation: u32) -> Token {
    // Slots are bounded by the limit of open files, far below 2^32.
    (slot as u64) << 32 | u64::from(generation)
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves of a token")]
fn place(token: Token) -> (Slot, u32) {
    ((token >> 32) as Slot, token as u32)
}
