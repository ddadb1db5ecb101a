//! Changed rules of a running generation, as a person meets them.

use postback_normalise::profile;

use crate::installed::Installed;
use crate::run::AWAY;

/// Writes the configuration with a profile of the source's own, and with more behind it.
fn configure(installed: &Installed, edits: &[(&str, &str)], more: &str) {
    let text = profile::builtin("rakuten").unwrap().text.to_string();
    let text = edits.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    let folder = installed.place.path();
    std::fs::write(folder.join("own.toml"), text).unwrap();
    let network = "network = \"rakuten\"\n";
    let own = format!("{network}profile_file = \"own.toml\"\n");
    let configuration = AWAY.replace(network, &own) + more;
    std::fs::write(folder.join("postback.toml"), configuration).unwrap();
}

const ACCEPT: [&str; 3] = ["generation", "accept", "rakuten-us"];

#[tokio::test]
async fn a_profile_that_moves_keys_is_not_accepted_and_another_one_is() {
    let installed = Installed::new("accept").await;
    let swapped = [
        ("column = \"transaction_id\"", "column = \"click_id\""),
        (
            "\"u1\", column = \"click_id\"",
            "\"u1\", column = \"transaction_id\"",
        ),
    ];
    let (id, date) = ("\"etransaction_id\"", "\"transaction_date\"");
    let named = [(id, "\"etransaction_id\", aliases = [\"etid\"]")];
    let dated = [(date, "\"transaction_date\", aliases = [\"ordered\"]")];
    for moving in [&swapped[..], &named, &dated] {
        configure(&installed, moving, "");
        let shown = installed.shown(&ACCEPT);
        let words = "source rakuten-us: key_recipe would change; conversions that are loaded already could count twice\n    remedy: load everything anew: `postback replay start`";
        assert!(shown.contains(words), "{shown}");
        assert!(shown.ends_with("--- exit 1\n"), "{shown}");
        let listed = installed.shown(&["generation", "ls"]);
        assert!(listed.contains("rakuten-us (key_recipe)"), "{listed}");
    }
    let rules = "SELECT count() FROM generation_rules";
    let rules = || installed.loader.query(rules).fetch_one::<u64>();
    assert_eq!(rules().await.unwrap(), 0);

    configure(
        &installed,
        &[("\"sku_number\"", "\"sku_number\", aliases = [\"sku\"]")],
        "",
    );
    let shown = installed.shown(&ACCEPT);
    assert!(shown.ends_with("--- exit 0\n"), "{shown}");
    assert!(shown.contains("profile"), "{shown}");
    assert_eq!(rules().await.unwrap(), 1);
    installed.remove().await;
}

#[tokio::test]
async fn a_new_source_that_its_account_is_not_loaded_like_is_named() {
    let installed = Installed::new("apart").await;
    let more = "[[source]]\nname = \"rakuten-eu\"\naccount = \"rakuten-us\"\nnetwork = \"rakuten\"\n\
                enabled = false\nprofile_file = \"own.toml\"\n";
    let accept_new = ["generation", "accept", "rakuten-eu"];
    configure(&installed, &[], more);
    let shown = installed.shown(&accept_new);
    assert!(shown.contains("the consumers add it"), "{shown}");
    let listed = installed.shown(&["generation", "ls"]);
    assert!(!listed.contains("rakuten-eu"), "{listed}");

    let zone = [("[dates]\n", "[dates]\ntime_zone = \"Europe/Berlin\"\n")];
    configure(&installed, &zone, more);
    let shown = installed.shown(&accept_new);
    let words = "source rakuten-eu is new to generation 1, which loads source rakuten-us of the same account by another time_zone; the same sale could count twice\n    remedy: load everything anew: `postback replay start`";
    assert!(shown.contains(words), "{shown}");
    assert!(shown.ends_with("--- exit 1\n"), "{shown}");
    let listed = installed.shown(&["generation", "ls"]);
    let both = "rakuten-us (time_zone, profile); rakuten-eu (time_zone)";
    assert!(listed.contains(both), "{listed}");
    installed.remove().await;
}
