//! Where in a connection's requests the stream is, and how far hyper may read. Pure.

use std::ops::Range;

use memchr::{memchr, memchr_iter};

use super::chunks::{Chunks, Progress};
use super::handover::Framing;
use super::line::{self, VERSION_BYTES, Verdict};
use super::patience::Stage;

/// Follows a connection from request to request.
pub(super) struct Framer {
    phase: Phase,
    /// Longest target.
    target_bytes: usize,
    /// The request under way is the last that is read.
    last: bool,
    /// The method of the request under way is one that bodies come with.
    may_have_body: bool,
    /// Where the target of such a request is in the bytes that passed last, if it is there.
    shown: Option<Range<usize>>,
}

#[derive(Clone, Copy)]
enum Phase {
    /// Before the first space of a request, blank lines in front of it included; some of the method
    /// may have come.
    Method { begun: bool },
    /// Behind it, until its line is whole; so many bytes have been searched for the line's end.
    Target { searched: usize },
    /// Behind the judgement on the target, until the blank line.
    Headers(Line),
    /// A whole head has passed, and hyper has to say what body it announces.
    Head,
    /// In a body, with so many bytes to come.
    Body(u64),
    /// In a chunked body.
    Chunks(Chunks),
    /// Nothing more passes.
    Stopped,
}

impl Phase {
    /// Before a request.
    const METHOD: Self = Self::Method { begun: false };
}

/// What is known of a header line under way.
#[derive(Clone, Copy)]
enum Line {
    Empty,
    CarriageReturn,
    Text,
}

/// What to do behind the bytes that pass.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// Ask again with the bytes that follow, at the next read.
    GoOn,
    /// The target is not whole: ask again with these and more.
    Wait,
    /// The next so many bytes are a target that hyper must not see.
    Hide(usize),
    /// The next bytes begin a target that is too long. The request is the last.
    Overlong,
    /// They end a head: tell the service.
    Head,
}

impl Framer {
    pub(super) const fn new(target_bytes: usize) -> Self {
        Self {
            phase: Phase::METHOD,
            target_bytes,
            last: false,
            may_have_body: false,
            shown: None,
        }
    }

    pub(super) const fn is_stopped(&self) -> bool {
        matches!(self.phase, Phase::Stopped)
    }

    /// What more bytes would be.
    pub(super) const fn stage(&self) -> Stage {
        match self.phase {
            Phase::Method { begun: false } => Stage::Idle,
            Phase::Method { begun: true } | Phase::Target { .. } | Phase::Headers(_) => Stage::Head,
            Phase::Head | Phase::Body(_) | Phase::Chunks(_) | Phase::Stopped => Stage::Other,
        }
    }

    /// Nothing more passes.
    pub(super) fn stop(&mut self) {
        self.phase = Phase::Stopped;
    }

    /// No request behind the one under way is read, whatever comes.
    pub(super) const fn is_at_its_last(&self) -> bool {
        self.last || self.is_stopped()
    }

    /// What is held is a target that is not whole.
    pub(super) const fn is_in_target(&self) -> bool {
        matches!(self.phase, Phase::Target { .. })
    }

    /// Where the target of a request that may have a body was in the bytes that passed last. hyper
    /// sees it, and drops it with the head if it refuses how the head announces the body.
    pub(super) fn take_shown(&mut self) -> Option<Range<usize>> {
        self.shown.take()
    }

    /// A head has passed, and hyper must have said what body it announces before it reads on.
    pub(super) const fn awaits_framing(&self) -> bool {
        matches!(self.phase, Phase::Head)
    }

    /// hyper reads on behind a head that has passed; `framing` is what it says of the body.
    pub(super) fn read_on(&mut self, framing: Option<Framing>) {
        self.phase = match framing {
            None => Phase::Stopped,
            Some(_) if self.last => Phase::Stopped,
            Some(Framing::Length(0)) => Phase::METHOD,
            Some(Framing::Length(length)) => Phase::Body(length),
            Some(Framing::Chunked) => Phase::Chunks(Chunks::new()),
        };
    }

    /// The connection ends within a target: hyper may see the rest and say what it thinks of it.
    pub(super) fn cut_short(&mut self) {
        self.phase = Phase::Headers(Line::Text);
    }

    /// Says how many of the next bytes, at most `room`, may pass, and what to do then. Never passes
    /// bytes of two requests at once, nor a body with its head.
    pub(super) fn advance(&mut self, bytes: &[u8], room: usize) -> (usize, Then) {
        let fits = &bytes[..room.min(bytes.len())];
        let mut passed = 0;
        if let Phase::Method { begun } = self.phase {
            let Some(space) = memchr(b' ', fits) else {
                let begun = begun || fits.iter().any(|byte| !matches!(byte, b'\r' | b'\n'));
                self.phase = Phase::Method { begun };
                return (fits.len(), Then::GoOn);
            };
            // One that came in pieces is not put together to be looked at.
            self.may_have_body = begun || !has_no_body(&fits[..space]);
            passed = space + 1;
            self.phase = Phase::Target { searched: 0 };
        }
        if let Phase::Target { searched } = self.phase {
            let then = self.target(&bytes[passed..], searched);
            if then != Then::GoOn {
                return (passed, then);
            }
            let target = self.shown.take();
            self.shown = target.map(|target| passed + target.start..passed + target.end);
        }
        let fits = &fits[passed..];
        let (more, then) = match self.phase {
            Phase::Headers(line) => self.headers(line, fits),
            Phase::Body(left) => self.body(left, fits),
            Phase::Chunks(chunks) => self.chunks(chunks, fits),
            Phase::Method { .. } | Phase::Target { .. } | Phase::Head | Phase::Stopped => {
                (0, Then::GoOn)
            }
        };
        (passed + more, then)
    }

    /// Judges the target at the start of `bytes`. `GoOn`: it may pass.
    fn target(&mut self, bytes: &[u8], searched: usize) -> Then {
        let line_end = memchr(b'\n', &bytes[searched..]).map(|at| searched + at);
        if line_end.unwrap_or(bytes.len()) > self.target_bytes + VERSION_BYTES {
            self.phase = Phase::Headers(Line::Text);
            self.last = true;
            return Then::Overlong;
        }
        let Some(line_end) = line_end else {
            let searched = bytes.len();
            self.phase = Phase::Target { searched };
            return Then::Wait;
        };
        self.phase = Phase::Headers(Line::Text);
        match line::judge(&bytes[..line_end]) {
            Verdict::Passes => Then::GoOn,
            Verdict::Clean(length) => {
                self.shown = self.may_have_body.then_some(0..length);
                Then::GoOn
            }
            Verdict::Hidden(length) => Then::Hide(length),
        }
    }

    fn headers(&mut self, line: Line, bytes: &[u8]) -> (usize, Then) {
        let (end, line) = head_end(bytes, line);
        if let Some(end) = end {
            self.phase = Phase::Head;
            return (end, Then::Head);
        }
        self.phase = Phase::Headers(line);
        (bytes.len(), Then::GoOn)
    }

    fn body(&mut self, left: u64, bytes: &[u8]) -> (usize, Then) {
        let passed = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        let left = left - passed as u64;
        self.phase = if left == 0 {
            Phase::METHOD
        } else {
            Phase::Body(left)
        };
        (passed, Then::GoOn)
    }

    fn chunks(&mut self, mut chunks: Chunks, bytes: &[u8]) -> (usize, Then) {
        let passed = match chunks.advance(bytes) {
            Progress::Open => {
                self.phase = Phase::Chunks(chunks);
                bytes.len()
            }
            Progress::Ended(count) => {
                self.phase = Phase::METHOD;
                count
            }
            // hyper sees what broke it, and then the end.
            Progress::Broken(count) => {
                self.phase = Phase::Stopped;
                count
            }
        };
        (passed, Then::GoOn)
    }
}

/// Whether a method, with what came before it, is one that bodies do not come with.
fn has_no_body(method: &[u8]) -> bool {
    matches!(method.trim_ascii_start(), b"GET" | b"HEAD")
}

/// Where the head ends in `bytes`, of which the first continue `line`; and the line after them. Lines
/// end in a line feed, with or without a carriage return before it, and a blank one ends the head.
fn head_end(bytes: &[u8], mut line: Line) -> (Option<usize>, Line) {
    let mut start = 0;
    for end in memchr_iter(b'\n', bytes) {
        if !matches!(line.and(&bytes[start..end]), Line::Text) {
            return (Some(end + 1), Line::Empty);
        }
        line = Line::Empty;
        start = end + 1;
    }
    (None, line.and(&bytes[start..]))
}

impl Line {
    fn and(self, bytes: &[u8]) -> Self {
        match (self, bytes) {
            (line, []) => line,
            (Self::Empty, b"\r") => Self::CarriageReturn,
            _ => Self::Text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_passes_behind_a_target_that_is_too_long() {
        let mut framer = Framer::new(10);
        let bytes = b"GET /0123456789012345678901234567890 HTTP/1.1\r\n\r\n";
        assert!(framer.advance(bytes, bytes.len()) == (4, Then::Overlong));
        assert!(framer.is_at_its_last());
        let head = b"/ HTTP/1.1\r\n\r\n";
        assert!(framer.advance(head, head.len()) == (head.len(), Then::Head));
        framer.read_on(Some(Framing::Length(0)));
        assert!(framer.is_stopped());
        assert!(framer.advance(bytes, bytes.len()) == (0, Then::GoOn));
    }

    #[test]
    fn a_head_ends_at_the_first_blank_line_in_pieces_of_any_size() {
        let heads = [
            "x\r\n\r\n",
            "x\n\n",
            "x\r\n\n",
            "x\n\r\n",
            "x\r\nA: b\r\nC:\r\n\r\n",
            "x\n\r \n\r\r\n\r\n",
        ];
        for head in heads {
            let more = format!("{head}\r\n\r\nGET /\n\n");
            for size in 1..=more.len() {
                let mut line = Line::Text;
                let mut ended = None;
                for (number, piece) in more.as_bytes().chunks(size).enumerate() {
                    let (end, next) = head_end(piece, line);
                    ended = end.map(|end| number * size + end);
                    if ended.is_some() {
                        break;
                    }
                    line = next;
                }
                assert_eq!(ended, Some(head.len()), "{head:?} in pieces of {size}");
            }
        }
    }
}
