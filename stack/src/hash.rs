//! Checksums as text.

use sha2::{Digest as _, Sha256};

/// The SHA-256 of a text, 64 lower-case hexadecimal digits.
pub(crate) fn sha256(text: &str) -> String {
    Sha256::digest(text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn as_sha256sum_writes_it() {
        // From `printf secret | sha256sum`.
        let expected = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
        assert_eq!(super::sha256("secret"), expected);
    }
}
