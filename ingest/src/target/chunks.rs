//! Follows a chunked body (RFC 9112, section 7.1) to its end, as strictly as hyper. Pure.

/// Where in a chunked body.
#[derive(Clone, Copy)]
pub(super) struct Chunks {
    state: State,
    /// Of the chunk under way: what its size line says so far, then the bytes that are left.
    left: u64,
}

#[derive(Clone, Copy)]
enum State {
    SizeStart,
    Size,
    SizeSpace,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    Trailer,
    TrailerLf,
    EndLf,
}

/// What came of some bytes of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// All of them belong to the body, which goes on.
    Open,
    /// The body ends behind so many of them.
    Ended(usize),
    /// So many of them, the last of which should not be there.
    Broken(usize),
}

impl Chunks {
    pub(super) const fn new() -> Self {
        Self {
            state: State::SizeStart,
            left: 0,
        }
    }

    /// Goes through the next `bytes` of the body.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Progress {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if matches!(self.state, State::Data) {
                at += self.skip_data(bytes.len() - at);
                continue;
            }
            at += 1;
            let Some(next) = self.after(byte) else {
                return Progress::Broken(at);
            };
            let Some(state) = next else {
                return Progress::Ended(at);
            };
            self.state = state;
        }
        Progress::Open
    }

    /// Skips what it can of `most` bytes.
    fn skip_data(&mut self, most: usize) -> usize {
        let skipped = usize::try_from(self.left).map_or(most, |left| left.min(most));
        self.left -= skipped as u64;
        if self.left == 0 {
            self.state = State::DataCr;
        }
        skipped
    }

    /// The state after `byte`: `Some(None)` at the end, `None` where it should not be.
    fn after(&mut self, byte: u8) -> Option<Option<State>> {
        let next = match (self.state, byte) {
            (State::SizeStart | State::Size, digit) if digit.is_ascii_hexdigit() => {
                self.left = self.left.checked_mul(16)?.checked_add(value(digit))?;
                State::Size
            }
            (State::Size | State::SizeSpace, b' ' | b'\t') => State::SizeSpace,
            (State::Size | State::SizeSpace, b';') => State::Extension,
            (State::Size | State::SizeSpace | State::Extension, b'\r') => State::SizeLf,
            // hyper is as strict: some readers take a line feed alone for the end of the line.
            (State::Extension, b'\n') => return None,
            (State::Extension, _) => State::Extension,
            (State::SizeLf, b'\n') if self.left == 0 => State::TrailerStart,
            (State::SizeLf, b'\n') => State::Data,
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::SizeStart,
            (State::TrailerStart, b'\r') => State::EndLf,
            (State::Trailer, b'\r') => State::TrailerLf,
            (State::TrailerStart | State::Trailer, _) => State::Trailer,
            (State::TrailerLf, b'\n') => State::TrailerStart,
            (State::EndLf, b'\n') => return Some(None),
            _ => return None,
        };
        Some(Some(next))
    }
}

fn value(digit: u8) -> u64 {
    char::from(digit).to_digit(16).map_or(0, u64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goes through `bytes` in pieces of `size`.
    fn follow(bytes: &[u8], size: usize) -> Progress {
        let mut chunks = Chunks::new();
        for (number, piece) in bytes.chunks(size).enumerate() {
            let before = number * size;
            match chunks.advance(piece) {
                Progress::Open => {}
                Progress::Ended(count) => return Progress::Ended(before + count),
                Progress::Broken(count) => return Progress::Broken(before + count),
            }
        }
        Progress::Open
    }

    #[test]
    fn the_end_is_found_in_pieces_of_any_size() {
        let bodies = [
            "0\r\n\r\n",
            "1\r\na\r\n0\r\n\r\n",
            "00a \t;x=\"y\"\r\n0\r\n\r\nGET\r\n\r\n00;\r\n\r\n",
            "3\r\nabc\r\nB\r\n0123456789a\r\n0\r\nX: 1\r\nY:\r\n\r\n",
        ];
        for body in bodies {
            for size in 1..=body.len() {
                let more = format!("{body}GET / HTTP/1.1\r\n\r\n");
                let expected = Progress::Ended(body.len());
                assert_eq!(follow(more.as_bytes(), size), expected, "{body:?} {size}");
                let short = &body.as_bytes()[..body.len() - 1];
                assert_eq!(follow(short, size), Progress::Open, "{body:?} {size}");
            }
        }
    }

    #[test]
    fn an_irregularity_ends_it() {
        let broken = [
            "x",
            "\r",
            " ",
            "-",
            "1\n",
            "1x",
            "1 2",
            "1;a\n",
            "1\rx",
            "1\r\nab",
            "1\r\na\n",
            "1\r\na\rx",
            "1\r\na\r\n\r",
            "0\r\n\rx",
            "0\r\na\rb",
            "fffffffffffffffff",
        ];
        for text in broken {
            for size in [1, 99] {
                let expected = Progress::Broken(text.len());
                let bytes = format!("{text}0\r\n\r\n");
                assert_eq!(follow(bytes.as_bytes(), size), expected, "{text:?}");
            }
        }
    }
}
