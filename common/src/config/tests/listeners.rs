//! Addresses to listen on.

use super::*;

#[test]
fn the_networks_and_the_operators_have_no_port_in_common() {
    for (listen, admin, is_good) in [
        ("127.0.0.1:21000", "127.0.0.1:21000", false),
        ("127.0.0.1:21000", "0.0.0.0:21000", false),
        ("0.0.0.0:21000", "127.0.0.1:21000", false),
        ("[::]:21000", "127.0.0.1:21000", false),
        ("127.0.0.1:21000", "[::]:21000", false),
        ("[::]:21000", "[::1]:21000", false),
        ("0.0.0.0:21000", "[::]:21000", false),
        ("127.0.0.1:21000", "[::ffff:127.0.0.1]:21000", false),
        ("0.0.0.0:21000", "[::1]:21000", true),
        ("127.0.0.1:21000", "127.0.0.2:21000", true),
        ("0.0.0.0:21000", "127.0.0.1:21001", true),
        ("0.0.0.0:0", "127.0.0.1:0", true),
    ] {
        let text = with(&format!(
            "[ingest]\nlisten = \"{listen}\"\nadmin_listen = \"{admin}\""
        ));
        let read = read_with(&text, &[]).map_err(|error| error.to_string());
        assert_eq!(read.is_ok(), is_good, "{listen} {admin}: {read:?}");
        if let Err(text) = read {
            let named = format!("ingest.admin_listen = \"{admin}\": the ");
            assert!(
                text.contains(&named) && text.contains("[contradiction]"),
                "{text}"
            );
        }
    }
}
