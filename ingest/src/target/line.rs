//! Judges a request line: may hyper see its target? Pure.

/// hyper's own opinion on a line is needed, or does no harm; or the target is one that it would cut
/// or refuse.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The line may pass as it came, and hyper refuses it.
    Passes,
    /// The line may pass as it came, and so many of its first bytes are a target that hyper takes.
    Clean(usize),
    /// So many of its first bytes are a target that hyper must not see.
    Hidden(usize),
}

/// Longest end of a request line behind its target, without the line feed.
pub(super) const VERSION_BYTES: usize = b" HTTP/1.1\r".len();

/// Judges `line`, the request line from its target's first byte to the byte before the line feed.
pub(super) fn judge(line: &[u8]) -> Verdict {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let target = line
        .strip_suffix(b" HTTP/1.1")
        .or_else(|| line.strip_suffix(b" HTTP/1.0"));
    // The first two: no request of a version that is spoken here, and hyper says so.
    match target {
        None | Some([]) => Verdict::Passes,
        Some(target) if is_clean(target) => Verdict::Clean(target.len()),
        Some(target) if target.contains(&b'\r') => Verdict::Passes,
        Some(target) => Verdict::Hidden(target.len()),
    }
}

/// Whether hyper takes the target and shows every byte of it: origin form, and no byte that it cuts
/// or refuses in a path or a query. A test holds this against hyper, byte for byte.
fn is_clean(target: &[u8]) -> bool {
    // To the end without a branch: so the compiler compares many bytes at once, which takes a tenth
    // of the time of stopping at the first.
    let any_dirty = target
        .iter()
        .fold(0, |found, &b| found | u8::from(is_dirty(b)));
    target.first() == Some(&b'/') && any_dirty == 0
}

/// Spaces, control bytes, everything beyond ASCII, and ``"#<>` ``.
const fn is_dirty(b: u8) -> bool {
    let graphic = b.wrapping_sub(b'!') <= b'~' - b'!';
    // `"` and `#`, `<` and `>` are neighbours but for one bit.
    !graphic | (b | 1 == b'#') | (b | 2 == b'>') | (b == b'`')
}

#[cfg(test)]
mod tests {
    use hyper::Uri;

    use super::*;

    #[test]
    fn every_byte_that_is_clean_hyper_takes_and_shows() {
        for byte in u8::MIN..=u8::MAX {
            for (before, behind) in [("/a", "b?c"), ("/a?b", "c"), ("/", ""), ("/?", "")] {
                let mut target = before.as_bytes().to_vec();
                target.push(byte);
                target.extend(behind.as_bytes());
                if !is_clean(&target) {
                    assert!(is_dirty(byte));
                    continue;
                }
                let uri = Uri::from_maybe_shared(target.clone());
                let uri = uri.unwrap_or_else(|error| panic!("{byte:#x}: {error}"));
                let mut shown = uri.path().to_owned();
                if let Some(query) = uri.query() {
                    shown = shown + "?" + query;
                }
                assert_eq!(shown.as_bytes(), target, "{byte:#x}");
            }
        }
    }

    #[test]
    fn what_is_dirty_is_found_wherever_it_stands() {
        let dirty = "\0\t \"#<>`\u{7f}".bytes().chain(0x80..=0xff);
        for byte in dirty {
            for length in [1, 31, 32, 33, 64, 65, 200] {
                for at in 1..length {
                    let mut target = vec![b'a'; length];
                    target[0] = b'/';
                    assert!(is_clean(&target));
                    target[at] = byte;
                    assert!(!is_clean(&target), "{byte:#x} at {at} of {length}");
                }
            }
        }
        assert!(is_clean(b"/a?b=%zz%&c={d}|\\^[]~!$'()*,;:@"));
        assert!(!is_clean(b"http://a/b") && !is_clean(b"*") && !is_clean(b""));
    }

    fn hidden(line: &[u8]) -> Option<&[u8]> {
        match judge(line) {
            Verdict::Passes | Verdict::Clean(_) => None,
            Verdict::Hidden(length) => Some(&line[..length]),
        }
    }

    #[test]
    fn a_target_ends_before_the_last_version() {
        let cases: [(&[u8], Option<&[u8]>); 15] = [
            (b"/a?b HTTP/1.1\r", None),
            (b"/a?b HTTP/1.0", None),
            (b"/a?b c HTTP/1.1\r", Some(b"/a?b c")),
            (b"/a?b c HTTP/1.0", Some(b"/a?b c")),
            (b"/a?b  HTTP/1.1\r", Some(b"/a?b ")),
            (b"/a HTTP/1.1 HTTP/1.1\r", Some(b"/a HTTP/1.1")),
            (b"/a# HTTP/1.1\r", Some(b"/a#")),
            (b"http://b/a HTTP/1.1\r", Some(b"http://b/a")),
            (b"* HTTP/1.1\r", Some(b"*")),
            (b" HTTP/1.1\r", None),
            (b"/a<b>\r", None),
            (b"/a<b> HTTP/1.2\r", None),
            (b"/a<b> HTTP/1.1 \r", None),
            (b"/a<\r> HTTP/1.1\r", None),
            (b"/a<b> HTTP/1.1\r\r", None),
        ];
        for (line, expected) in cases {
            let line_shown = String::from_utf8_lossy(line);
            assert_eq!(hidden(line), expected, "{line_shown:?}");
        }
    }
}
