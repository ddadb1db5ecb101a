//! Secrets that stand in files.

use super::*;

const KEY: &str = "key = \"0123456789abcdefghijklmnop\"";

#[test]
fn an_empty_file_holds_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    for text in ["", "\n", "\r\n", " \n\n"] {
        let file = folder.path().join("empty");
        std::fs::write(&file, text).unwrap();
        let path = file.to_str().unwrap();
        for variable in [
            "POSTBACK__CLICKHOUSE__PASSWORD_FILE",
            "POSTBACK__KAFKA__OPTIONS__SASL_PASSWORD_FILE",
            "POSTBACK__WATCH__WEBHOOK_URL_FILE",
        ] {
            let text = refusal(LEAST, &[(variable, path)]);
            let expected = format!(
                "{variable} = {path:?}: the file is empty [bad_value]\n    remedy: write the secret into the file"
            );
            assert!(
                text.contains("1 setting is refused") && text.contains(&expected),
                "{text}"
            );
        }
    }
}

#[test]
fn a_file_that_is_no_text_is_told_its_line_and_none_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("postback.toml");
    let latin = LEAST.replace(KEY, &format!("{KEY}\n# caf\u{e9} {CANARY}"));
    let latin: Vec<u8> = latin.chars().map(|c| u8::try_from(c).unwrap()).collect();
    // [`LEAST`] begins with an empty line and has its key in the ninth.
    for (bytes, line) in [(latin, 10), (vec![0xff, 0xfe, b'[', 0], 1)] {
        std::fs::write(&file, bytes).unwrap();
        let error = load(&file).unwrap_err();
        let expected = format!(
            "{}: line {line} is not UTF-8\n    remedy: save the file as UTF-8",
            file.display()
        );
        assert_eq!(error.to_string(), expected);
        assert!(!format!("{error:?}").contains(CANARY));
    }
}

#[test]
fn a_secret_that_cannot_be_read_is_one_fault_with_its_own_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = folder.path().join("bytes");
    std::fs::write(&bytes, [0xff, 0xfe]).unwrap();
    for (path, remedy) in [
        (folder.path().join("missing"), "name a file that exists"),
        (folder.path().to_owned(), "name the file itself"),
        (bytes, "write the secret into the file as plain text"),
    ] {
        let path = path.to_str().unwrap();
        let in_file = LEAST.replace(KEY, &format!("key_file = {path:?}"));
        let auth = with_basic_auth(&format!("user = \"me\", password_file = {path:?}"));
        for text in [in_file, auth] {
            let text = refusal(&text, &[]);
            assert!(
                text.contains("1 setting is refused")
                    && text.contains(&format!("{path:?}"))
                    && text.contains("[unreadable_file]")
                    && text.contains(remedy),
                "{text}"
            );
        }
    }
}

#[test]
fn what_may_be_a_secret_in_place_of_its_file_is_not_shown() {
    let long = "x".repeat(256);
    let cases = [
        CANARY.to_owned(),
        format!("nowhere/{CANARY}"),
        format!("{CANARY}\n-----/{CANARY}"),
        format!("/{CANARY}{long}"),
    ];
    for given in &cases {
        for variable in [
            "POSTBACK__CLICKHOUSE__PASSWORD_FILE",
            "POSTBACK__KAFKA__OPTIONS__SASL_PASSWORD_FILE",
            "POSTBACK__WATCH__WEBHOOK_URL_FILE",
        ] {
            let text = refusal(LEAST, &[(variable, given)]);
            let expected = format!(
                "1 setting is refused\n  {variable}: a file that is not there; its name is not shown, \
                 for it may be the secret itself [unreadable_file]\n    remedy: name a file that exists"
            );
            assert!(text.contains(&expected) && !text.contains(CANARY), "{text}");
        }
    }
    // Tests run in the package's folder.
    for path in ["/nowhere/password", "src/pasword", "./pasword"] {
        let text = refusal(LEAST, &[("POSTBACK__CLICKHOUSE__PASSWORD_FILE", path)]);
        assert!(
            text.contains(&format!("PASSWORD_FILE = {path:?}: No such file")),
            "{text}"
        );
    }
}

#[test]
fn the_mark_of_utf8_is_no_part_of_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("marked");
    let path = file.to_str().unwrap();
    let variable = "POSTBACK__CLICKHOUSE__PASSWORD_FILE";
    // U+FEFF in UTF-8 (Unicode 16.0, section 23.8).
    std::fs::write(
        &file,
        [b"\xef\xbb\xbf", CANARY.as_bytes(), b"\r\n"].concat(),
    )
    .unwrap();
    let settings = read_with(LEAST, &[(variable, path)]).unwrap();
    assert_eq!(settings.clickhouse.password.unwrap().expose(), CANARY);
    std::fs::write(&file, b"\xef\xbb\xbf\n").unwrap();
    assert!(refusal(LEAST, &[(variable, path)]).contains("the file is empty"));
}

#[test]
fn a_key_that_is_missing_or_wrong_is_said_once() {
    for (key, expected) in [
        ("", "sha256: must be given [missing]"),
        (
            "sha256 = \"12\"",
            "sha256: a sha256 has 64 hexadecimal digits",
        ),
    ] {
        let text = refusal(&LEAST.replace(KEY, key), &[]);
        assert!(
            text.contains("1 setting is refused") && text.contains(expected),
            "{text}"
        );
    }
    let none = LEAST.replace("[[source.key]]", "").replace(KEY, "");
    let text = refusal(&none, &[]);
    assert!(
        text.contains("source[rakuten-us].key: must be given"),
        "{text}"
    );
}
