//! The answer to an accepted postback.

use super::*;

fn with_reply(fields: &str) -> String {
    LEAST.replace(
        "[[source.key]]",
        &format!("reply = {{ {fields} }}\n[[source.key]]"),
    )
}

#[test]
fn an_answer_without_content_shows_none() {
    for fields in ["status = 204", "status = 205, body = \"\""] {
        let settings = read_with(&with_reply(fields), &[]).unwrap();
        assert_eq!(settings.sources[0].reply.content, None);
        let shown = settings.to_toml().unwrap();
        assert!(
            !shown.contains("body = ") && !shown.contains("content_type"),
            "{shown}"
        );
        assert_eq!(read_with(&shown, &[]).unwrap().to_toml().unwrap(), shown);
    }
    let shown = read_with(&with_reply("status = 202"), &[]).unwrap();
    let shown = shown.to_toml().unwrap();
    assert!(
        shown.contains("status = 202\nbody = \"OK\"\ncontent_type"),
        "{shown}"
    );
}

#[test]
fn an_answer_that_has_no_body_is_given_none() {
    for status in [204, 205] {
        let fields = format!("status = {status}, body = \"X\", content_type = \"text/html\"");
        let text = refusal(&with_reply(&fields), &[]);
        for fault in [
            format!("reply.body = \"X\": an answer with status {status} has no body"),
            format!("reply.content_type = \"text/html\": an answer with status {status} has"),
        ] {
            assert!(text.contains(&fault), "{fault}: {text}");
        }
    }
}
