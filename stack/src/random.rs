//! Random values from the operating system.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::StackError;

/// The 64 characters of base64url; each stands for six random bits.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Random bytes from `/dev/urandom`.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], StackError> {
    let path = Path::new("/dev/urandom");
    let mut bytes = [0; N];
    File::open(path)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(StackError::io("read", path))?;
    Ok(bytes)
}

/// A password of 24 characters, 144 random bits, that needs no quoting in a shell or a URL.
///
/// # Errors
/// When the system gives no random bytes.
pub(crate) fn password() -> Result<String, StackError> {
    Ok(bytes::<24>()?.iter().map(|byte| character(*byte)).collect())
}

/// A Kafka cluster id: 16 random bytes in base64url without padding.
///
/// # Errors
/// When the system gives no random bytes.
pub(crate) fn cluster_id() -> Result<String, StackError> {
    let random = bytes::<22>()?;
    let mut id: String = random[..21].iter().map(|byte| character(*byte)).collect();
    // 22 characters hold 132 bits, the id has 128: the last four bits are zero.
    id.push(character(random[21] & 0b11_0000));
    // A leading dash would look like an option to Kafka's tools.
    if id.starts_with('-') {
        id.replace_range(..1, "A");
    }
    Ok(id)
}

fn character(byte: u8) -> char {
    char::from(ALPHABET[usize::from(byte & 63)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_id_decodes_to_sixteen_bytes() {
        for _ in 0..100 {
            let id = cluster_id().unwrap();
            assert_eq!(id.len(), 22);
            assert!(!id.starts_with('-'));
            assert!(
                ["A", "Q", "g", "w"].iter().any(|end| id.ends_with(end)),
                "{id}"
            );
        }
    }

    #[test]
    fn no_two_passwords_are_alike() {
        assert_ne!(password().unwrap(), password().unwrap());
    }
}
