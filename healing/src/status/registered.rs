//! Whether the network has the URL that the configuration says.

use percent_encoding::percent_decode_str;
use postback_common::config::SourceSettings;
use postback_common::secret::Secret;

/// Whether a registered URL is that of the source's newest template; `None` where it has none.
///
/// A character and its escape are the same: networks show `<u1>` as `%3Cu1%3E` or as it was given.
pub(super) fn is_template(source: &SourceSettings, registered: &Secret) -> Option<bool> {
    let template = source.newest_template()?.url.secret();
    Some(plain(template) == plain(registered))
}

fn plain(url: &Secret) -> Secret {
    let url = url.expose().trim();
    Secret::new(percent_decode_str(url).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use postback_common::config;

    use super::*;

    fn compared(template: &str, registered: &str) -> Option<bool> {
        let text = format!(
            "[kafka]\nbrokers = \"h:1\"\n[[source]]\nname = \"s\"\nnetwork = \"rakuten\"\nenabled = false\n{template}"
        );
        let settings = config::read(Path::new("t"), &text, []).unwrap();
        is_template(&settings.sources[0], &Secret::new(registered))
    }

    #[test]
    fn the_newest_template_counts_however_it_is_escaped() {
        let older = "[[source.template]]\nurl = \"https://h/p/KEY?a=<u1>\"\n";
        let newer =
            "[[source.template]]\nurl = \"https://h/p/KEY?b=<u1>\"\nvalid_from = \"2026-01-01\"\n";
        let both = format!("{older}{newer}");
        assert_eq!(compared("", "https://h/p/KEY?a=<u1>"), None);
        for (registered, expected) in [
            ("https://h/p/KEY?b=<u1>", true),
            (" https://h/p/KEY?b=%3Cu1%3e", true),
            ("https://h/p/KEY?a=<u1>", false),
            ("https://h/p/OTHER?b=<u1>", false),
            ("http://h/p/KEY?b=<u1>", false),
        ] {
            assert_eq!(compared(&both, registered), Some(expected), "{registered}");
        }
    }
}
