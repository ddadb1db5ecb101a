//! The spool's room.

use super::*;

#[test]
fn a_spool_without_room_for_the_longest_record_is_refused() {
    // 6 * (16,384 + 262,144) + 131,072, and 1,024 for the heads around it.
    let (longest, least) = (1_802_240, 1_803_264);
    let read = |max_bytes: u64, more: &str| {
        let lines = format!(
            "[ingest]\nspool_dir = \"/spool\"\nspool_max_bytes = {max_bytes}\nmax_body_bytes = 262144\n{more}"
        );
        read_with(&with(&lines), &[]).map_err(|error| error.to_string())
    };
    assert!(read(least, "").is_ok());
    assert!(read(least - 1, "max_query_bytes = 16383").is_ok());
    for max_bytes in [least - 1, 1_048_576] {
        let text = read(max_bytes, "").unwrap_err();
        let expected = format!(
            "1 setting is refused\n  ingest.spool_max_bytes = {max_bytes}: has no room for one record, \
             which may have {longest} bytes with max_query_bytes = 16384 and max_body_bytes = 262144 \
             [contradiction]\n    remedy: give at least {least}, or lower max_query_bytes or max_body_bytes"
        );
        assert!(text.contains(&expected), "{text}");
    }
    // By default there is room, and the smallest spool has room for the default limits.
    for lines in ["", "spool_max_bytes = 1048576"] {
        let lines = format!("[ingest]\nspool_dir = \"/spool\"\n{lines}");
        assert!(read_with(&with(&lines), &[]).is_ok(), "{lines}");
    }
    let largest = [
        ("POSTBACK__INGEST__SPOOL_DIR", "/spool"),
        ("POSTBACK__INGEST__MAX_QUERY_BYTES", "61440"),
        ("POSTBACK__INGEST__MAX_BODY_BYTES", "524288"),
    ];
    assert!(read_with(LEAST, &largest).is_ok());
}

#[test]
fn kafka_is_not_waited_for_until_the_spool_has_no_time_left() {
    let read = |answer: u32, wait: u32, more: &str| {
        let lines =
            format!("[ingest]\nanswer_within_ms = {answer}\nkafka_wait_ms = {wait}\n{more}");
        read_with(&with(&lines), &[]).map_err(|error| error.to_string())
    };
    let spool = "spool_dir = \"/spool\"";
    // Less a twenty-fifth for the answer, and for the disk 25 ms or a tenth.
    for (answer, most) in [(250, 215), (400, 359), (50, 43), (10, 8), (60_000, 57_575)] {
        assert!(read(answer, most, spool).is_ok(), "{most} of {answer}");
        let text = read(answer, most + 1, spool).unwrap_err();
        let expected = format!(
            "ingest.kafka_wait_ms = {}: leaves the spool no time before the answer, which is due after \
             answer_within_ms = {answer} [contradiction]\n    remedy: make it at most {most}",
            most + 1
        );
        assert!(text.contains(&expected), "{text}");
    }
    // By default there is time, and without a spool nobody else needs any.
    for answer in [10, 11, 250, 60_000] {
        let lines = format!("[ingest]\nanswer_within_ms = {answer}\n{spool}");
        assert!(read_with(&with(&lines), &[]).is_ok(), "{answer}");
    }
    assert!(read(250, 249, "").is_ok());
    assert!(read(250, 250, "").is_err());
}
