use super::*;

const GOOD: &str = include_str!("../../../../schemas/networks/rakuten.toml");

fn error_with(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    Profile::parse(&GOOD.replace(from, to))
        .unwrap_err()
        .to_string()
}

#[test]
fn a_contradiction_is_refused_with_its_remedy() {
    let cases = [
        ("title =", "titel =", "titel"),
        ("network = \"rakuten\"", "network = \"Ra kuten\"", "a-z"),
        ("method = \"GET\"", "method = []", "name GET, POST"),
        ("method = \"GET\"", "method = \"PUT\"", "\"GET\", \"POST\""),
        (
            "macro = \"<name>\"",
            "macro = \"name\"",
            "between its signs",
        ),
        ("name = \"sid\"", "name = \"u1\"", "u1 stands twice"),
        (
            "name = \"sid\"",
            "name = \"sid\", aliases = [\"u1\"]",
            "u1 stands twice",
        ),
        (
            "column = \"click_id\"",
            "column = \"sku\"",
            "two parameters fill column sku",
        ),
        ("column = \"click_id\"", "column = \"clickid\"", "clickid"),
        (
            "secret_params = []",
            "secret_params = [\"u1\"]",
            "u1 fills a column",
        ),
        (
            "[dates]",
            "[payload]\nbody = [\"json\"]\n[dates]",
            "add \"POST\" to method",
        ),
        (
            "[dates]",
            "[payload]\njson_field = \"push\"\n[dates]",
            "add \"form\" to body",
        ),
        (
            "[dates]",
            "[amounts]\nform = \"cents\"\n[dates]",
            "minor_units",
        ),
        (", column = \"signal\"", "", "need each other"),
        (
            "signal = [\"Y\"]",
            "signal = [\"n\"]",
            "give each kind values of its own",
        ),
        (
            "signal = [\"Y\"]",
            "signal = []",
            "give each kind values of its own",
        ),
        (
            ", column = \"occurred_at\"",
            "",
            "immutable_date names occurred_at",
        ),
        (
            "order = [\"advertiser_id\", \"order_id\"",
            "order = [\"advertiser_id\"",
            "order lacks order_id",
        ),
        (
            "order = [\"advertiser_id\"",
            "order = [\"sub_id\"",
            "order cannot use sub_id",
        ),
        (
            "transaction_id = [\"transaction_id\", \"signal\"]",
            "transaction_id = []",
            "transaction_id is an empty list; name",
        ),
        (
            "revision_time = \"processed_at\"",
            "revision_time = \"sku\"",
            "use occurred_at or processed_at",
        ),
        (
            "revision_time = \"processed_at\"",
            "repeat = \"again\"",
            "duplicate",
        ),
        (
            "forms = [\"javascript\", \"iso_8601\"]",
            "forms = []",
            "at least one form",
        ),
        (
            "[dates]",
            "[dates]\ntime_zone = \"Mars/Base\"",
            "is no IANA time zone",
        ),
        ("default = \"reported\"", "default = \"done\"", "done"),
        (
            "[identity]",
            "[status.words]\napproved = [\"ok\"]\n[identity]",
            "[status.words] and a parameter",
        ),
        (
            "{ name = \"transaction_type\" }",
            "{ name = \"transaction_type\", column = \"status\" }",
            "[status.words] and a parameter",
        ),
        (
            "[identity]",
            "[status.words]\napproved = [\"ok\"]\npending = [\"OK\"]\n[identity]",
            "\"ok\" twice",
        ),
        (
            "[identity]",
            "[status.words]\napproved = [\" ok \"]\n[identity]",
            "[status.words] has \" ok \", which nothing that is sent can be",
        ),
        (
            "[identity]",
            "[status.words]\napproved = [\"\"]\n[identity]",
            "[status.words] has \"\"",
        ),
        (
            "signal = [\"Y\"]",
            "signal = [\"Y\\t\"]",
            "[signal] has \"Y\\t\"",
        ),
        (
            "forms = [\"javascript\", \"iso_8601\"]",
            "forms = [\"unix_milliseconds\", \"iso_8601\", \"unix_seconds\"]",
            "put unix_seconds first",
        ),
    ];
    for (from, to, expected) in cases {
        let error = error_with(from, to);
        assert!(error.contains(expected), "{to}: {error}");
    }
}

#[test]
fn what_can_be_sent_is_taken() {
    for (from, to) in [
        ("signal = [\"Y\"]", "signal = [\"Y\", \"\"]"),
        (
            "forms = [\"javascript\", \"iso_8601\"]",
            "forms = [\"unix_seconds\", \"unix_milliseconds\"]",
        ),
        (
            "forms = [\"javascript\", \"iso_8601\"]",
            "forms = [\"unix_milliseconds\"]",
        ),
    ] {
        let text = GOOD.replace(from, to);
        assert!(text != GOOD && Profile::parse(&text).is_ok(), "{to}");
    }
}

#[test]
fn everything_that_is_wrong_is_named_at_once() {
    let wrong = GOOD
        .replace("network = \"rakuten\"", "network = \"Ra kuten\"")
        .replace("macro = \"<name>\"", "macro = \"name\"")
        .replace("forms = [\"javascript\", \"iso_8601\"]", "forms = []");
    let errors = Profile::parse(&wrong).unwrap_err();
    let tags: Vec<&str> = errors.iter().map(ProfileError::as_str).collect();
    assert_eq!(tags, ["profile_network", "profile_macro", "profile_dates"]);
    assert_eq!(errors.to_string().lines().count(), 3);
}
