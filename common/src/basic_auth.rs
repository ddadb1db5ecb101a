//! User and password of HTTP's Basic scheme (RFC 7617).

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

use crate::secret::{HIDDEN, Secret};

/// Standard base64; senders are known to leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a sender must know. Prints its user and hides the password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BasicAuth {
    user: String,
    password: PasswordHash,
    /// The password itself, where the configuration has more than its hash.
    #[serde(skip)]
    plain: Option<Secret>,
}

/// SHA-256 of a password. Prints as `[hidden]`: passwords are short enough to be guessed from it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PasswordHash([u8; 32]);

/// Why these cannot be user and password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BasicAuthError {
    /// RFC 7617, section 2: the colon separates the two, and control characters are forbidden.
    #[error("a user has at least one character, no colon and no control character")]
    User,
    /// RFC 7617, section 2.
    #[error("a password has at least one character, and no control character")]
    Password,
}

impl BasicAuth {
    /// `user` with the password that has this hash.
    ///
    /// # Errors
    /// [`BasicAuthError::User`] for a user that cannot be sent.
    pub fn new(user: &str, password: PasswordHash) -> Result<Self, BasicAuthError> {
        if user.is_empty() || user.contains(|c: char| c == ':' || c.is_control()) {
            return Err(BasicAuthError::User);
        }
        let user = user.to_owned();
        Ok(Self {
            user,
            password,
            plain: None,
        })
    }

    /// The same, by which one can send, too.
    #[must_use]
    pub fn with_plain(self, plain: Option<Secret>) -> Self {
        Self { plain, ..self }
    }

    /// The password itself, where the configuration has it.
    #[must_use]
    pub const fn plain(&self) -> Option<&Secret> {
        self.plain.as_ref()
    }

    /// The user.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Whether the value of an `Authorization` header names this user and this password. The time
    /// that it takes says nothing about how near a wrong guess was.
    #[must_use]
    pub fn admits(&self, authorization: &[u8]) -> bool {
        let Some((user, password)) = credentials(authorization) else {
            return false;
        };
        let expected = Sha256::digest(self.user.as_bytes());
        let user = Sha256::digest(&user).ct_eq(&expected);
        let password = Sha256::digest(&password).ct_eq(&self.password.0);
        (user & password).into()
    }
}

/// The value of a header `Authorization` that names them.
#[must_use]
pub fn authorization(user: &str, password: &Secret) -> Secret {
    let both = format!("{user}:{}", password.expose());
    Secret::new(format!("Basic {}", BASE64.encode(both)))
}

impl PasswordHash {
    /// Of a password as it was configured.
    ///
    /// # Errors
    /// [`BasicAuthError::Password`] for a password that cannot be sent, or that is empty.
    pub fn of(password: &Secret) -> Result<Self, BasicAuthError> {
        let text = password.expose();
        if text.is_empty() || text.contains(|c: char| c.is_control()) {
            return Err(BasicAuthError::Password);
        }
        Ok(Self(Sha256::digest(text.as_bytes()).into()))
    }

    /// These bytes; `None` for the hash of the empty password, which everybody knows.
    #[must_use]
    pub fn from_bytes(hash: [u8; 32]) -> Option<Self> {
        (hash[..] != Sha256::digest(b"")[..]).then_some(Self(hash))
    }
}

/// User and password out of `Basic dXNlcjpwYXNz`; the scheme's case does not matter (RFC 9110,
/// section 11.1).
fn credentials(authorization: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (scheme, rest) = authorization.split_at_checked(5)?;
    if !scheme.eq_ignore_ascii_case(b"basic") || !rest.starts_with(b" ") {
        return None;
    }
    let mut user = BASE64.decode(rest.trim_ascii()).ok()?;
    let colon = user.iter().position(|byte| *byte == b':')?;
    let password = user.split_off(colon + 1);
    user.truncate(colon);
    Some((user, password))
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Serialize for PasswordHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(HIDDEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth(user: &str, password: &str) -> BasicAuth {
        let password = PasswordHash::of(&Secret::new(password)).unwrap();
        BasicAuth::new(user, password).unwrap()
    }

    #[test]
    fn the_examples_of_the_rfc_are_understood() {
        // RFC 7617, sections 2 and 2.1.
        let aladdin = auth("Aladdin", "open sesame");
        assert!(aladdin.admits(b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        let test = auth("test", "123\u{a3}");
        assert!(test.admits(b"Basic dGVzdDoxMjPCow=="));
    }

    #[test]
    fn what_is_sent_is_admitted() {
        let password = Secret::new("open sesame");
        let sent = authorization("Aladdin", &password);
        assert_eq!(sent.expose(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        let aladdin = auth("Aladdin", "open sesame").with_plain(Some(password));
        assert!(aladdin.admits(sent.expose().as_bytes()));
        assert!(!format!("{aladdin:?} {sent:?}").contains("sesame"));
    }

    #[test]
    fn only_user_and_password_together_are_admitted() {
        let aladdin = auth("Aladdin", "open sesame");
        let header = |text: &str| format!("basic  {} ", BASE64.encode(text));
        assert!(aladdin.admits(header("Aladdin:open sesame").as_bytes()));
        for wrong in [
            "Aladdin:open sesame ",
            "Aladdin:open",
            "Aladdin:",
            "Aladdin",
            "aladdin:open sesame",
            ":open sesame",
            "",
        ] {
            assert!(!aladdin.admits(header(wrong).as_bytes()), "{wrong}");
        }
        for wrong in [
            "",
            "Basic",
            "Basic ",
            "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            "BasicQWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==,",
        ] {
            assert!(!aladdin.admits(wrong.as_bytes()), "{wrong}");
        }
        assert!(auth("a", "b:c").admits(header("a:b:c").as_bytes()));
    }

    #[test]
    fn what_cannot_be_sent_is_refused_and_the_password_is_not_shown() {
        let hash = PasswordHash::of(&Secret::new("canary-83")).unwrap();
        for bad in ["", "a:b", "a\n"] {
            assert_eq!(BasicAuth::new(bad, hash), Err(BasicAuthError::User));
        }
        for bad in ["", "a\u{7f}"] {
            let refused = PasswordHash::of(&Secret::new(bad));
            assert_eq!(refused, Err(BasicAuthError::Password));
        }
        assert_eq!(PasswordHash::from_bytes(Sha256::digest(b"").into()), None);
        let shown = format!("{:?}", BasicAuth::new("a", hash).unwrap());
        let words = "BasicAuth { user: \"a\", password: [hidden], plain: None }";
        assert_eq!(shown, words);
    }
}
