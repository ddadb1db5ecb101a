//! `[source.api]`

use super::*;

/// An API that can be asked, of a publisher with this id.
fn with_id(id: &str, line: &str) -> String {
    with_api(&format!(
        "base_url = \"https://h\"\npublisher_id = '{id}'\n{line}"
    ))
}

#[test]
fn a_path_of_the_api_is_a_path_and_nothing_else() {
    let with_path = |path: &str| with_id("7", &format!("events_path = '{path}'"));
    for wrong in [
        "", "/", "events", "/a b", "/a?b", "/a#b", "/a\"b", "/a<b", "/\u{e4}",
    ] {
        let refused = refusal(&with_path(wrong), &[]);
        assert!(refused.contains("api.events_path"), "{wrong}: {refused}");
    }
    for (written, expected) in [("/e", "/e"), ("/events/1.0/", "/events/1.0")] {
        let read = read_with(&with_path(written), &[]).unwrap();
        assert_eq!(read.sources[0].api.as_ref().unwrap().events_path, expected);
    }
}

#[test]
fn ids_and_names_of_fields_are_words() {
    let with_word = |word: &str| {
        with_id(
            word,
            &format!("fields = {{ url = 'a', is_active = '{word}' }}"),
        )
    };
    for wrong in ["", " ", "a b", "a/b", "a\"b", "\u{e4}"] {
        let refused = refusal(&with_word(wrong), &[]);
        for key in ["api.publisher_id", "api.fields.is_active"] {
            assert!(refused.contains(key), "{wrong}: {refused}");
        }
    }
    let read = read_with(&with_word(" 38_1-7.b "), &[]).unwrap();
    let api = read.sources[0].api.as_ref().unwrap();
    assert_eq!(
        (&*api.publisher_id, &*api.fields.is_active),
        ("38_1-7.b", "38_1-7.b")
    );
    assert_eq!(
        (&*api.fields.url, &*api.fields.created_at),
        ("a", "createdAt")
    );
}

#[test]
fn credentials_are_sent_as_it_is_written() {
    let auth = |line: &str| {
        let read = read_with(&with_id("7", line), &[]).unwrap();
        read.sources[0].api.as_ref().unwrap().token_auth
    };
    assert_eq!(auth(""), TokenAuth::Basic);
    assert_eq!(auth("token_auth = \"basic\""), TokenAuth::Basic);
    assert_eq!(auth("token_auth = \"form\""), TokenAuth::Form);
    let refused = refusal(&with_api("token_auth = \"post\""), &[]);
    assert!(refused.contains("use \"basic\" or \"form\""), "{refused}");
}
