//! Which build this is.

/// The release, from the workspace: `0.1.0`.
pub const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// The first nine digits of the commit that was built; `unknown` where the sources stood in no git
/// repository and `POSTBACK_COMMIT` was not set.
pub const COMMIT: &str = env!("POSTBACK_COMMIT");

/// Release and commit, for `--version`: `0.1.0 (1a2b3c4d5)`.
pub const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (",
    env!("POSTBACK_COMMIT"),
    ")"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_names_release_and_commit() {
        assert_eq!(VERSION, format!("{RELEASE} ({COMMIT})"));
        let digits = COMMIT.len() == 9 && COMMIT.bytes().all(|b| b.is_ascii_hexdigit());
        let given = option_env!("POSTBACK_COMMIT").is_some();
        assert!(digits || given || COMMIT == "unknown", "{COMMIT}");
    }
}
