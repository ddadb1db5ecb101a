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
