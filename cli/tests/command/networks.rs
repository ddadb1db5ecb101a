use crate::run::{AWAY, Place};

#[test]
fn networks_are_listed_and_shown_with_how_well_they_are_known() {
    let place = Place::with("[kafka]\n");
    let text = [
        place.run(&["network", "ls"]),
        place.run(&["network", "ls", "-o", "jsonl", "-q"]),
        place.run(&["network", "show", "rakuten"]),
        place.run(&["network", "show", "rakutn"]),
        place.run(&["network", "show", "no-such-network-anywhere"]),
    ];
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn the_words_that_a_network_writes_are_listed() {
    let place = Place::with("[kafka]\n");
    let show = |network: &str, form: &str| place.run(&["network", "show", network, "-o", form]);
    let orders = show("orders", "table");
    for line in [
        "Words of status, in any case; without one of them placed:\n",
        "  cancelled: cancelled, canceled, void, voided, declined, failed, expired\n",
        "  returned: returned, refunded, refund, chargeback\n",
        "Words of eligible, in any case:\n",
        "  no: false, no, n, 0, out, out_of_network, ineligible\n",
    ] {
        assert!(orders.contains(line), "{orders}");
    }
    let rakuten = show("rakuten", "json");
    assert!(rakuten.contains("\"transaction\""), "{rakuten}");
    assert!(show("orders", "json").contains("\"chargeback\""));
}

#[test]
fn a_key_in_a_parameter_of_a_url_is_not_shown() {
    let place = Place::with(AWAY);
    let file = place.path().join("url");
    let url = "https://pb.example.com/postback/CANARY-0123456789abcdef?is_event=<is_event>&u1=<u1>\
        &a=x%2FCANARY-0123456789abcdef&fwd=https%3A%2F%2Fy%2Fpostback%2FCANARY-of-another&cid=7";
    std::fs::write(&file, url).unwrap();
    let mut command = place.command(&["url", "check", "-", "-o", "csv"]);
    let output = command.stdin(std::fs::File::open(file).unwrap()).output();
    let output = output.unwrap();
    let shown = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(!shown.contains("CANARY"), "{shown}");
    assert_eq!(shown.matches("[hidden] (static)").count(), 2, "{shown}");
    assert!(shown.contains("7 (static)"), "{shown}");
}

#[test]
fn a_source_without_a_url_has_no_key_to_put_in() {
    let statement =
        "[[source]]\nname = \"items\"\nnetwork = \"rakuten-item-report\"\nenabled = false\n";
    let place = Place::with(&format!("{AWAY}{statement}"));
    let url = "https://pb.example.com/postback/KEY?u1=<Member ID>";
    let shown = place.run(&["url", "check", url, "--source", "items"]);
    assert!(shown.contains("Member ID"), "{shown}");
    assert!(!shown.contains("put in the key"), "{shown}");
    let shown = place.run(&["url", "check", url, "--source", "rakuten-us"]);
    assert!(
        shown.contains("put in the key of source rakuten-us"),
        "{shown}"
    );
}

#[test]
fn a_profile_is_checked_as_a_whole() {
    let place = Place::with("[kafka]\n");
    let file = place.path().join("wrong.toml");
    let wrong = "network = \"x y\"\ntitle = \"t\"\nmethod = \"GET\"\nmacro = \"name\"\n\
        parameters = [{ name = \"a\" }, { name = \"a\" }]\n\
        [status]\ndefault = \"pending\"\n[identity]\n[dates]\nforms = []\n";
    std::fs::write(file, wrong).unwrap();
    let builtin = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../schemas/networks/impact.toml"
    );
    std::fs::copy(builtin, place.path().join("impact.toml")).unwrap();
    let generic = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../schemas/networks/generic.toml"
    );
    let text = std::fs::read_to_string(generic).unwrap();
    let emptied = text.lines().map(|line| match line.split_once(" = ") {
        Some((recipe @ ("transaction_id" | "order"), _)) => format!("{recipe} = []\n"),
        _ => format!("{line}\n"),
    });
    let emptied: String = emptied.collect();
    std::fs::write(place.path().join("empty-recipe.toml"), emptied).unwrap();
    let mistyped = std::fs::read_to_string(builtin).unwrap();
    let mistyped = mistyped
        .replacen("column = \"", "column = \"x", 1)
        .replace("method = ", "methods = ")
        .replace("\nform = \"", "\nform = \"in_");
    std::fs::write(place.path().join("mistyped.toml"), mistyped).unwrap();
    std::fs::write(place.path().join("broken.toml"), "network = rakuten\n").unwrap();
    let pipe = place.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(pipe).status();
    assert!(made.unwrap().success());
    let text = [
        place.run(&["network", "check", "impact.toml"]),
        place.run(&["network", "check", "wrong.toml"]),
        place.run(&["network", "check", "wrong.toml", "-o", "json"]),
        place.run(&["network", "check", "missing.toml"]),
        place.run(&["network", "check", "empty-recipe.toml"]),
        place.run(&["network", "check", "mistyped.toml"]),
        place.run(&["network", "check", "broken.toml"]),
        place.run(&["network", "check", "."]),
        place.run(&["network", "check", "/dev/null"]),
        place.run(&["network", "check", "pipe"]),
    ];
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn a_url_is_built_with_its_block() {
    let place = Place::with(AWAY);
    let some = "is_event,etransaction_id,u1,commissions,currency,transaction_date,process_date,sale_amount";
    let text = [
        place.run(&["url", "build", "--source", "rakuten-us", "-o", "json", "-q"]),
        place.run(&[
            "url",
            "build",
            "--source",
            "rakuten-us",
            "--fields",
            some,
            "--rename",
            "u1=unique_id",
            "--static",
            "cid=7 & more",
            "--marker",
            "7",
        ]),
        place.run(&["url", "build", "--source", "rakuten-us", "--fields", "u1"]),
        place.run(&[
            "url",
            "build",
            "--source",
            "rakuten-us",
            "--rename",
            "etransactionid=tid",
        ]),
        place.run(&["url", "build", "--source", "rakuten-us", "--static", "cid"]),
        place.run(&["url", "build", "--source", "rakuten-us", "--fields", "TID"]),
    ];
    insta::assert_snapshot!(text.join("\n"));
}

/// What `url build` gives, and the configuration with its block at its end.
fn built(configuration: &str, arguments: &[&str]) -> (String, String) {
    let place = Place::with(configuration);
    let build = ["url", "build", "--source", "s", "-o", "json"];
    let output = place.command(&[&build[..], arguments].concat()).output();
    let output = output.unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{words}");
    let whole: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let block = whole["rows"][0]["toml"].as_str().unwrap();
    let next = format!("{configuration}{block}");
    let checked = Place::with(&next).run(&["config", "check"]);
    assert!(checked.ends_with("--- exit 0\n"), "{checked}");
    assert!(!words.contains("fills no column"), "{words}");
    (block.to_owned(), next)
}

#[test]
fn a_shops_own_orders_lack_no_transaction_id() {
    let shop = "[kafka]\nbrokers = \"127.0.0.1:1\"\n[[source]]\nname = \"s\"\nnetwork = \"orders\"\nenabled = false\n";
    let url = "https://pb.example.com/postback/KEY?order_id={order_id}&ordered_at={ordered_at}&advertiser_id={advertiser_id}";
    let place = Place::with(shop);
    let told = place.run(&["url", "check", url, "--source", "s"]);
    assert!(!told.contains("transaction id"), "{told}");
    let lacks = url.replace("order_id={order_id}&", "");
    let told = place.run(&["url", "check", &lacks, "--source", "s"]);
    assert!(
        told.contains("every postback counts") && told.contains("add order_id={order_id}"),
        "{told}"
    );
}

const NEW: &str = "[kafka]\nbrokers = \"127.0.0.1:1\"\n[[source]]\nname = \"s\"\nnetwork = \"rakuten\"\nenabled = false\n";

#[test]
fn each_template_is_named_by_the_next_free_marker_and_simply_added() {
    let (first, configuration) = built(NEW, &[]);
    assert!(
        first.ends_with("&pbt=1\"\n") && !first.contains("valid_from"),
        "{first}"
    );
    let (second, configuration) = built(&configuration, &["--rename", "u1=unique_id"]);
    assert!(
        second.ends_with("&pbt=2\"\n") && !second.contains("valid_from"),
        "{second}"
    );
    let (chosen, configuration) = built(&configuration, &["--marker", "40"]);
    assert!(chosen.ends_with("&pbt=40\"\n"), "{chosen}");
    let (own, configuration) = built(&configuration, &["--static", "pbt=spring"]);
    assert!(own.ends_with("&pbt=spring\"\n"), "{own}");
    let taken = ["url", "build", "--source", "s", "--marker", "2"];
    let taken = Place::with(&configuration).run(&taken);
    assert!(
        taken.contains("has pbt=2 already")
            && taken.contains("--marker 41")
            && taken.contains("exit 2"),
        "{taken}"
    );
    // The newest of several that have a time is known by its time.
    let timed = configuration.replacen("url =", "valid_from = 2026-01-01\nurl =", 1);
    let (last, _) = built(&timed, &[]);
    assert!(
        last.ends_with("&pbt=41\"\n") && last.contains("valid_from = \"20"),
        "{last}"
    );
    let words =
        |configuration: &str| Place::with(configuration).run(&["url", "build", "--source", "s"]);
    let waits = "Its valid_from, by which it would get what comes without a marker, waits for";
    let plain = timed.replacen("&pbt=2\"", "\"", 1);
    assert!(plain != timed && words(&timed).contains(waits));
    assert!(!words(&plain).contains(waits) && !words(&configuration).contains(waits));
}

#[test]
fn a_template_of_a_statement_names_columns_that_its_own_check_understands() {
    let statement = NEW.replace("\"rakuten\"", "\"rakuten-item-report\"");
    let (block, _) = built(&statement, &["--rename", "Member ID=Klick"]);
    assert!(
        block.contains("Klick=<U1>&") && block.contains("Order%20ID="),
        "{block}"
    );
    assert!(!block.contains("pbt="), "lines carry none: {block}");
    let shown = Place::with(&statement).run(&["url", "build", "--source", "s"]);
    assert!(
        !shown.contains("to register") && shown.contains("[[source.template]]"),
        "{shown}"
    );
}

#[test]
fn a_url_is_checked() {
    let place = Place::with(AWAY);
    let check = |url: &str, more: &[&str]| place.run(&[&["url", "check", url], more].concat());
    let rakuten = ["--network", "rakuten"];
    let base = "https://pb.example.com/postback/KEY";
    let whole = format!(
        "{base}?is_event=<is_event>&tid=<etransaction_id>&u1=<u1>&sale=<sale_amount>&earned=<commissions>\
         &currency=<currency>&ordered=<transaction_date>&processed=<process_date>&pbt=2"
    );
    let misspelt = format!(
        "{base}?unique_id=<u2>&tid=<etransaction_idd>&is_event=<is_event>&x={{SubId1}}&cid=7"
    );
    let text = [
        check(&whole, &rakuten),
        check(&misspelt, &rakuten),
        check("http://pb.example.com/postback/KEY?u1=<u1>", &rakuten),
        check(
            &format!("{base}?u1=<u1>&u1=<u1>"),
            &["--source", "rakuten-us", "-o", "json"],
        ),
        check(base, &[]),
        check(
            &format!("{base}?click={{SubId1}}"),
            &["--network", "impact"],
        ),
        check(
            &format!(
                "{base}?tid=<etransaction_id>&a=<TID>&b=<MID>&c=<OID>&d=<member_id>&e=<member+id>&f=<sku>&g=<subid>&h=<shoe_size>"
            ),
            &rakuten,
        ),
        check(&whole.replace("https", "ftp"), &rakuten),
        check(&whole.replace("https://", ""), &rakuten),
        check(&whole.replace("pb.example.com", ""), &rakuten),
        check(&whole.replace("/postback/", "/in/"), &rakuten),
        check(&whole.replace("https", "HTTP"), &rakuten),
        check(
            &whole
                .replace("pb.example.com", "user:word@pb.example.com:70000")
                .replace("&pbt", "#&pbt"),
            &rakuten,
        ),
        check(
            &format!(
                "{base}?t=!!transID!!&ref=!!afftrack!!&sale=!!amountOfSale!!&earned=!!commission!!"
            ),
            &["--network", "shareasale"],
        ),
    ];
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn a_url_that_its_source_does_not_expect_is_told_and_no_secret_of_it() {
    let other = "[[source]]\nname = \"impact-eu\"\nnetwork = \"impact\"\n[[source.key]]\nkey = \"CANARY-fedcba9876543210\"\n";
    let place = Place::with(&format!("{AWAY}{other}"));
    let check = |path: &str, more: &[&str]| {
        let file = place.path().join("url");
        std::fs::write(&file, format!("https://pb.example.com/postback/{path}")).unwrap();
        let mut command = place.command(&[&["url", "check", "-"], more].concat());
        let output = command
            .stdin(std::fs::File::open(file).unwrap())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        format!(
            "$ postback url check - {}\n{}--- stderr\n{}--- exit {}\n",
            more.join(" "),
            text(output.stdout),
            text(output.stderr),
            output.status.code().unwrap()
        )
    };
    let registered = "unique_id=%3Cu1%3E&is_event=<is_event>&tid=<etransaction_id>&ordered=<transaction_date>&type=<transaction_type>&x=<shoe_size>&cid=7";
    let secrets = "Access_Token=CANARY-a&pwd=CANARY-b&apiKey=CANARY-c&sig={CANARY-d}&author=ann";
    let text = [
        check(&format!("CANARY-0123456789abcdef?{registered}"), &[]),
        check(
            &format!("CANARY-0123456789abcdef?is_event=<is_event>&{secrets}"),
            &[],
        ),
        check(
            &format!("CANARY-fedcba9876543210?{registered}"),
            &["--source", "rakuten-us"],
        ),
        check(
            &format!("CANARY-of-nobody?{registered}&u1=<u1>&u1=<u1>"),
            &["--source", "rakuten-us"],
        ),
        check(
            "CANARY-fedcba9876543210?click={SubId1}&x=1&x=2&x=3&Password=CANARY-e",
            &[],
        ),
        check("CANARY-0123456789abcdef", &[]),
    ];
    let text = text.join("\n");
    assert!(!text.contains("CANARY"), "{text}");
    insta::assert_snapshot!(text);
}
