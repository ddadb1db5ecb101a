use std::path::Path;

use super::*;

mod addresses;
mod api;
mod files;
mod listeners;
mod names;
mod options;
mod replies;
mod spools;

const CANARY: &str = "canary-5f2d";

/// `printf %s canary-5f2d | sha256sum`
const CANARY_SHA256: &str = "5504e82c3f17f060c44ee5efa17a6057a2cced45084b67429a139eb16bc8c62a";

/// The least that can run: every other setting has a default.
const LEAST: &str = r#"
[kafka]
brokers = "127.0.0.1:9092"

[[source]]
name = "rakuten-us"
network = "rakuten"
[[source.key]]
key = "0123456789abcdefghijklmnop"
"#;

fn read_with(text: &str, environment: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    let environment = environment
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    read(Path::new("postback.toml"), text, environment)
}

fn refusal(text: &str, environment: &[(&str, &str)]) -> String {
    read_with(text, environment)
        .expect_err("the configuration is bad")
        .to_string()
}

/// The least, with one line more in its first section.
fn with(line: &str) -> String {
    LEAST.replace("[kafka]", &format!("{line}\n[kafka]"))
}

#[test]
fn defaults_are_the_contracts() {
    let settings = read_with(LEAST, &[]).unwrap();
    assert_eq!(settings.kafka.topic, "postbacks.raw");
    assert_eq!(settings.kafka.refused_topic, "postbacks.refused");
    assert_eq!(
        (settings.kafka.partitions, settings.kafka.retention_days),
        (12, 30)
    );
    assert_eq!(settings.clickhouse.database, "postback");
    assert_eq!(settings.ingest.answer_within.as_millis(), 250);
    assert_eq!(settings.ingest.kafka_wait.as_millis(), 100);
    assert_eq!(
        (
            settings.ingest.max_query_bytes,
            settings.ingest.max_body_bytes
        ),
        (16_384, 65_536)
    );
    assert_eq!(settings.ingest.admin_listen.to_string(), "127.0.0.1:9100");
    assert_eq!(settings.consumer.admin_listen.to_string(), "127.0.0.1:9101");
    assert_eq!(settings.consumer.group, "postback-loader");
    let source = &settings.sources[0];
    assert_eq!(
        (source.account.as_str(), source.enabled),
        ("rakuten-us", true)
    );
    assert_eq!(source.reply.status, 200);
    assert_eq!(source.reply.content.as_ref().unwrap().body, "OK");
    assert_eq!(source.keys[0].name.as_str(), "k1");
}

#[test]
fn the_example_file_is_valid_and_says_the_defaults() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../postback.example.toml");
    let text = std::fs::read_to_string(file).unwrap();
    read_with(&text, &[]).unwrap();
    // Every line that is commented out shows a default: switched on, it changes nothing.
    let switched_on: String = text
        .lines()
        .map(|line| line.strip_prefix("#= ").unwrap_or(line))
        .fold(String::new(), |all, line| all + line + "\n");
    let plain = read_with(&text, &[]).unwrap().to_toml().unwrap();
    assert_eq!(
        read_with(&switched_on, &[]).unwrap().to_toml().unwrap(),
        plain
    );
    assert!(switched_on.lines().count() > 20 && switched_on != text);
}

#[test]
fn the_environment_wins_over_the_file() {
    let environment = [
        ("POSTBACK__KAFKA__BROKERS", "a:1, b:2"),
        ("POSTBACK__KAFKA__PARTITIONS", "3"),
        ("POSTBACK__KAFKA__OPTIONS__SASL_PASSWORD", "007"),
        ("POSTBACK__CLICKHOUSE__PASSWORD", "0123"),
        ("POSTBACK__INGEST__RECORD_HEADERS", "User-Agent,X-Trace"),
        ("PATH", "ignored"),
    ];
    let settings = read_with(LEAST, &environment).unwrap();
    assert_eq!(settings.kafka.brokers, ["a:1", "b:2"]);
    assert_eq!(settings.kafka.partitions, 3);
    assert_eq!(
        settings.kafka.options["sasl.password"].expose(),
        "007",
        "digits stay text"
    );
    assert_eq!(settings.clickhouse.password.unwrap().expose(), "0123");
    assert_eq!(settings.ingest.record_headers, ["user-agent", "x-trace"]);
}

#[test]
fn secrets_are_read_from_files_without_the_line_ending_that_an_editor_adds() {
    let folder = tempfile::tempdir().unwrap();
    for (ending, name) in [("", "plain"), ("\n", "unix"), ("\r\n", "windows")] {
        let file = folder.path().join(name);
        std::fs::write(&file, format!("{CANARY}{ending}")).unwrap();
        let path = file.to_str().unwrap();
        let environment = [
            ("POSTBACK__CLICKHOUSE__PASSWORD_FILE", path),
            ("POSTBACK__KAFKA__OPTIONS__SASL_PASSWORD_FILE", path),
        ];
        let settings = read_with(LEAST, &environment).unwrap();
        assert_eq!(
            settings.clickhouse.password.as_ref().unwrap().expose(),
            CANARY,
            "{name}"
        );
        assert_eq!(
            settings.kafka.options["sasl.password"].expose(),
            CANARY,
            "{name}"
        );
    }
    let missing = folder.path().join("missing");
    let text = refusal(
        LEAST,
        &[(
            "POSTBACK__CLICKHOUSE__PASSWORD_FILE",
            missing.to_str().unwrap(),
        )],
    );
    assert!(
        text.contains("unreadable_file") && text.contains("missing"),
        "{text}"
    );
}

#[test]
fn effective_settings_and_debug_hide_every_secret() {
    let text = LEAST.replace(
        "[[source]]",
        &format!(
            "[kafka.options]\n\"sasl.password\" = \"{CANARY}\"\n\"ssl.key.pem\" = \"{CANARY}\"\n\"client.rack\" = \"r1\"\n\
             [clickhouse]\npassword = \"{CANARY}\"\n[[source]]"
        ),
    ) + &format!(
        "[[source.template]]\nurl = \"https://p.example/postback/{CANARY}?u1=<u1>&ToKen={CANARY}&s%69g={CANARY}\"\n"
    );
    let settings = read_with(&text, &[]).unwrap();
    let shown = settings.to_toml().unwrap();
    let printed = format!("{shown}{settings:?}");
    assert!(
        !printed.contains(CANARY) && !printed.contains("0123456789abcdef"),
        "{printed}"
    );
    assert!(
        shown.contains("\"sasl.password\" = \"[hidden]\"")
            && shown.contains("\"client.rack\" = \"r1\""),
        "{shown}"
    );
    let url = "url = \"[hidden]?u1=<u1>&ToKen=[hidden]&s%69g=[hidden]\"";
    assert!(shown.contains(url), "{shown}");
    let template = &settings.sources[0].templates[0].url;
    assert!(
        template.query().unwrap().ends_with(CANARY),
        "it is read as it is"
    );
}

#[test]
fn no_refusal_prints_what_may_be_a_secret() {
    let cases = [
        with(&format!("[clickhouse]\npasword = \"{CANARY}\"\nuser = 5")),
        with(&format!("[clickhouse]\npassword = [\"{CANARY}\"]")),
        with(&format!(
            "[clickhouse]\nurl = \"http://me:{CANARY}@host:8123\""
        )),
        with(&format!(
            "[clickhouse]\nurl = [\"http://me:{CANARY}@host:8123\"]"
        )),
        with(&format!(
            "[ingest]\npublic_url = \"https://me:{CANARY}@host\""
        )),
        with(&format!(
            "[ingest]\npublic_url = [\"https://host?key={CANARY}\"]"
        )),
        with_api(&format!("base_url = \"http://me:{CANARY}@host:1\"")),
        with_api(&format!("base_url = \"https://host?key={CANARY}\"")),
        with_api(&format!("base_url = [\"https://host/{CANARY}\"]")),
        with_api(&format!("token_path = \"/token?secret={CANARY}\"")),
        with_api(&format!("endpoint_path = \"{CANARY}\"")),
        with_api(&format!("events_path = \"/events#{CANARY}\"")),
        format!("{LEAST}[[source.template]]\nurl = [\"https://h/postback/{CANARY}?u=<u1>\"]\n"),
        with(&format!("[clickhouse]\npassword = \"{CANARY}")),
        with(&format!("[clickhouse]\npassword = {CANARY}")),
        LEAST.replace("0123456789abcdefghijklmnop", CANARY),
        LEAST.replace(
            "key = \"0123456789abcdefghijklmnop\"",
            &format!("sha265 = \"{CANARY}\""),
        ),
        LEAST.replace(
            "key = \"0123456789abcdefghijklmnop\"",
            &format!("sha256 = \"{CANARY}\""),
        ),
        LEAST.replace(
            "key = \"0123456789abcdefghijklmnop\"",
            &format!("name = \"{CANARY} X\"\nsha256 = \"12\""),
        ),
        with_basic_auth(&format!("user = \"{CANARY}:\", password = \"a\"")),
        with_basic_auth(&format!("user = \"a\", password = \"{CANARY}\\n\"")),
        with_basic_auth(&format!("user = \"a\", password_sha256 = \"{CANARY}\"")),
        with_basic_auth(&format!("user = \"a\", pasword = \"{CANARY}\"")),
        with(&format!("{CANARY} = 1")).replace(
            &format!("{CANARY} = 1"),
            &format!("password = \"{CANARY}\""),
        ),
    ];
    for text in cases {
        let error = read_with(&text, &[]).unwrap_err();
        assert!(
            !error.to_string().contains(CANARY) && !format!("{error:?}").contains(CANARY),
            "{error}"
        );
    }
    for (key, value) in [
        ("SOURCE__RAKUTEN_US__API__BASE_URL", "http://me:{}@host:1"),
        ("SOURCE__RAKUTEN_US__API__TOKEN_PATH", "/token?secret={}"),
        ("INGEST__PUBLIC_URL", "https://me:{}@host"),
        ("CLICKHOUSE__URL", "http://host:8123?password={}"),
    ] {
        let (key, value) = (format!("POSTBACK__{key}"), value.replace("{}", CANARY));
        let text = refusal(LEAST, &[(&key, &value)]);
        assert!(!text.contains(CANARY), "{text}");
    }
}

fn with_api(line: &str) -> String {
    format!("{LEAST}[source.api]\nclient_id = \"a\"\nclient_secret = \"b\"\n{line}\n")
}

#[test]
fn every_fault_is_named_at_once_with_key_value_and_remedy() {
    let text = r#"
colour = 1
[kafka]
topik = "x"
partitions = 0
[kafka.options]
acks = "1"
[clickhouse]
database = "drop table"
keep_days = 61
[ingest]
listen = "8080"
admin_listen = "127.0.0.1:9000"
answer_within_ms = 250
kafka_wait_ms = 300
spool_max_bytes = 100000000
record_headers = ["Authorization", "x y"]
trusted_proxies = ["10.0.0.1/8", "0.0.0.0/0", "balancer"]
max_connections = 0
idle_timeout_ms = 75
lame_duck_ms = "1m"
tls = { cert_file = "/etc/postback/cert.pem", key = "x" }
[consumer]
batch_max_rows = "many"
[[source]]
name = "Rakuten US"
network = "rakuten"
[[source]]
name = "two"
network = "rakuten"
currency = "dollars"
time_zone = "Mars/Base"
identity = "sku"
allow_from = []
basic_auth = { user = "me:you", password = "a", password_sha256 = "12" }
aliases = ["one", "Three!"]
api = { base_url = "ftp://api.example.com", client_secret = "s3cret", max_calls = 9, poll_seconds = 0, heal = true, token_auth = "digest", events_path = "events", page = 1 }
reply = { status = 302 }
[[source.key]]
key = "0123456789abcdefghijklmnop"
[[source.key]]
name = "k1"
sha256 = "12"
key = "0123456789abcdefghijklmnopq"
[[source]]
name = "two"
network = "rakuten"
enabled = true
[[source.key]]
key = "0123456789abcdefghijklmnop"
[[source.template]]
valid_from = "2026-01-01T00:00:00"
"#;
    let environment = [
        ("POSTBACK__INGEST__MAX_BODY_BYTES", "64k"),
        ("POSTBACK__INGST__LISTEN", "x"),
    ];
    insta::assert_snapshot!(refusal(text, &environment));
}

#[test]
fn a_template_begins_at_a_date_or_time_of_toml_or_in_a_text() {
    for (written, expected) in [
        ("2026-09-01T02:00:00+02:00", "2026-09-01T00:00:00Z"),
        ("2026-09-01", "2026-09-01T00:00:00Z"),
        ("\"2026-09-01T00:00:00Z\"", "2026-09-01T00:00:00Z"),
    ] {
        let text = format!(
            "{LEAST}\n[[source.template]]\nvalid_from = {written}\nurl = \"https://h/postback/K?u=<u1>\"\n"
        );
        let settings = read_with(&text, &[]).unwrap();
        let valid_from = settings.sources[0].templates[0].valid_from.unwrap();
        assert_eq!(valid_from.to_string(), expected, "{written}");
    }
}

fn with_basic_auth(fields: &str) -> String {
    let line = format!("basic_auth = {{ {fields} }}\n[[source.key]]");
    LEAST.replace("[[source.key]]", &line)
}

#[test]
fn who_may_send_is_kept_and_the_password_is_shown_to_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, format!("{CANARY}\n")).unwrap();
    for password in [
        format!("password = \"{CANARY}\""),
        format!("password_file = {:?}", file.to_str().unwrap()),
        format!("password_sha256 = \"{CANARY_SHA256}\""),
    ] {
        let text = with_basic_auth(&format!("user = \"me\", {password}"));
        let text = text.replace(
            "basic_auth",
            "allow_from = [\"10.0.0.0/8\", \"::1\"]\nbasic_auth",
        );
        let settings = read_with(&text, &[]).unwrap();
        let source = &settings.sources[0];
        let auth = source.basic_auth.as_ref().unwrap();
        // `printf %s me:canary-5f2d | base64`
        assert!(auth.admits(b"Basic bWU6Y2FuYXJ5LTVmMmQ="), "{password}");
        assert!(
            source
                .allow_from
                .as_ref()
                .unwrap()
                .contain("10.9.9.9".parse().unwrap())
        );
        let shown = settings.to_toml().unwrap();
        assert!(
            shown.contains("allow_from = [\"10.0.0.0/8\", \"::1\"]"),
            "{shown}"
        );
        assert!(shown.contains("password = \"[hidden]\""), "{shown}");
        let printed = format!("{shown}{settings:?}");
        assert!(
            !printed.contains(CANARY) && !printed.contains(CANARY_SHA256),
            "{printed}"
        );
    }
}

#[test]
fn tls_and_proxies_may_come_from_the_environment() {
    let environment = [
        ("POSTBACK__INGEST__TLS__CERT_FILE", "cert.pem"),
        ("POSTBACK__INGEST__TLS__KEY_FILE", "key.pem"),
        ("POSTBACK__INGEST__TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1"),
    ];
    let ingest = read_with(LEAST, &environment).unwrap().ingest;
    let tls = ingest.tls.unwrap();
    assert_eq!(tls.cert_file, Path::new("cert.pem"));
    assert_eq!(tls.key_file, Path::new("key.pem"));
    assert_eq!(ingest.trusted_proxies.to_string(), "10.0.0.0/8, 192.0.2.1");
    assert!(read_with(LEAST, &[]).unwrap().ingest.tls.is_none());
    let misspelt = [("POSTBACK__INGEST__TLS__CERT", "cert.pem")];
    assert!(refusal(LEAST, &misspelt).contains("POSTBACK__INGEST__TLS__CERT: this environment"));
}

#[test]
fn a_syntax_error_names_its_place() {
    insta::assert_snapshot!(refusal("[kafka]\nbrokers = \"a:1\"\ntopic = \n", &[]), @"postback.toml: no valid TOML at line 3, column 9: string values must be quoted, expected literal string");
}

#[test]
fn an_absent_file_says_what_to_do() {
    insta::assert_snapshot!(load(Path::new("no/such/postback.toml")).unwrap_err().to_string(), @"
    no/such/postback.toml: No such file or directory (os error 2)
        remedy: name the file with --config, or copy postback.example.toml to postback.toml
    ");
}

#[test]
fn what_is_printed_can_be_read_again_but_for_the_secrets() {
    let settings = read_with(LEAST, &[]).unwrap();
    let printed = settings.to_toml().unwrap();
    assert_eq!(
        read_with(&printed, &[]).unwrap().to_toml().unwrap(),
        printed
    );
}

#[test]
fn the_hash_of_nothing_and_the_mark_of_a_hidden_secret_are_refused() {
    // SHA-256 of the empty text (FIPS 180-2): it would let everybody in who leaves the key out.
    let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let key = "key = \"0123456789abcdefghijklmnop\"";
    let open_to_all = LEAST.replace(key, &format!("sha256 = \"{nothing}\""));
    assert!(refusal(&open_to_all, &[]).contains("sha256: a URL key has 22 to 256"));
    let printed_back = with("[clickhouse]\npassword = \"[hidden]\"");
    assert!(
        refusal(&printed_back, &[]).contains("clickhouse.password: [hidden] is what is printed")
    );
    let twice = LEAST.replace(
        "[[source.key]]",
        "[[source.reply]]\n[[source.reply]]\n[[source.key]]",
    );
    assert!(refusal(&twice, &[]).contains("reply: there is one answer only"));
}

#[test]
fn refusals_have_a_topic_of_their_own() {
    let brokers = "brokers = \"127.0.0.1:9092\"";
    for lines in [
        "topic = \"postbacks.refused\"",
        "refused_topic = \"postbacks.raw\"",
        "topic = \"a\"\nrefused_topic = \"a\"",
    ] {
        let text = refusal(&LEAST.replace(brokers, &format!("{brokers}\n{lines}")), &[]);
        assert!(
            text.contains("kafka.refused_topic") && text.contains("[contradiction]"),
            "{text}"
        );
    }
}

/// A template is judged by rules of its own, and only where what it belongs to could be read.
#[test]
fn checks_that_others_add_know_what_is_refused_already() {
    let seen = |text: &str| {
        let mut seen = None;
        let note = |draft: Draft<'_>| {
            seen = Some((draft.is_good, draft.are_sources_good));
            Vec::new()
        };
        let read = read_checked(Path::new("t.toml"), text, [], note);
        assert_eq!(seen.map(|(is_good, _)| is_good), Some(read.is_ok()));
        seen.map(|(_, are_sources_good)| are_sources_good)
    };
    assert_eq!(seen(LEAST), Some(true));
    assert_eq!(seen(&with("[watch]\nno_such_setting = 1")), Some(true));
    assert_eq!(seen(&with("no_such_setting = 1")), Some(true));
    let bad_key = format!("{LEAST}no_such_setting = 1\n");
    assert_eq!(seen(&bad_key), Some(false));
}

#[test]
fn webhooks_may_go_where_it_is_written_and_nowhere_else() {
    let allowed = |watch: &str| read_with(&with(watch), &[]).unwrap().watch.webhook_allow;
    assert!(allowed("").is_empty());
    let some = allowed("[watch]\nwebhook_allow = [\"10.1.0.0/16\"]");
    assert!(some.contain("10.1.2.3".parse().unwrap()));
    assert!(!some.contain("10.2.2.3".parse().unwrap()));
}

/// A reload takes up sources alone, and says so of all else.
#[test]
fn what_differs_beside_the_sources_is_seen() {
    let one = read_with(LEAST, &[]).unwrap();
    let other_source = read_with(&LEAST.replace("rakuten-us", "rakuten-uk"), &[]).unwrap();
    let other_broker = read_with(&LEAST.replace(":9092", ":9093"), &[]).unwrap();
    assert!(!one.differ_beside_sources(&one));
    assert!(!one.differ_beside_sources(&other_source));
    assert!(one.differ_beside_sources(&other_broker));
    assert!(other_source.differ_beside_sources(&other_broker));
}
