//! Files as people have them.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use postback_common::config;
use postback_normalise::Configured;

use super::*;

/// A line, and its row or the reason against it.
type Line = (u64, Result<String, String>);

/// What is in a file; then what ended it early.
fn read(network: &str, bytes: &[u8]) -> (Vec<Line>, Option<String>) {
    let text = format!(
        "[kafka]\nbrokers = \"a:1\"\n[[source]]\nname = \"s\"\nnetwork = \"{network}\"\nenabled = false\n"
    );
    let settings = config::read(Path::new("t.toml"), &text, []).unwrap();
    let configured = Configured::new(&settings.sources, &BTreeMap::new()).unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let told = |fault| match fault {
        FileFault::Io(error) => panic!("{error}"),
        FileFault::Form { what, remedy } => {
            assert!(!remedy.is_empty());
            what
        }
    };
    let mut rows = match open(file.path(), configured.source("s").unwrap()) {
        Ok(rows) => rows,
        Err(fault) => return (Vec::new(), Some(told(fault))),
    };
    let mut found = Vec::new();
    loop {
        match rows.next() {
            Ok(Some(row)) => found.push((row.line, row.object)),
            Ok(None) => return (found, None),
            Err(fault) => return (found, Some(told(fault))),
        }
    }
}

fn good(line: u64, object: &str) -> Line {
    (line, Ok(object.to_owned()))
}

fn bad(line: u64, reason: &str) -> Line {
    (line, Err(reason.to_owned()))
}

#[test]
fn csv_of_every_office_program() {
    let expected = [
        good(2, r#"{"order_id":"A-1","amount":"1.50","note":"x, \"y\""}"#),
        good(3, r#"{"order_id":"A-2","amount":"2.50","note":""}"#),
    ];
    let unix = "order_id,amount,note\nA-1,1.50,\"x, \"\"y\"\"\"\nA-2,2.50,\n";
    let windows = format!("\u{feff}{}", unix.replace('\n', "\r\n"));
    let semicolons = "order_id;amount;note\nA-1; 1.50 ;\"x, \"\"y\"\"\"\nA-2;2.50;\n;;\n";
    let tabs = "order_id\tamount\tnote\nA-1\t1.50\t\"x, \"\"y\"\"\"\nA-2\t2.50\t";
    for file in [unix, &windows, semicolons, tabs] {
        assert_eq!(
            read("orders", file.as_bytes()),
            (expected.to_vec(), None),
            "{file}"
        );
    }
}

#[test]
fn lines_before_the_heading_and_line_breaks_in_fields_keep_the_numbers_right() {
    let file = "Individual Item Report\n\"from 1/1/2026\"\n\nOrder ID,Sales,Product Name\nM1,1,\"two\nlines\"\nM2,2,x\n";
    let (rows, end) = read("rakuten-item-report", file.as_bytes());
    let lines: Vec<u64> = rows.iter().map(|(line, _)| *line).collect();
    assert_eq!((lines, end), (vec![5, 7], None));
}

#[test]
fn bad_lines_are_named_and_the_rest_is_read() {
    let file = b"order_id,amount\nA-1\nA-2,2,3\nA-\xff,1\nA-4,4\n";
    let expected = vec![
        bad(2, "1 fields under a heading of 2"),
        bad(3, "3 fields under a heading of 2"),
        bad(4, "the line is not UTF-8: save the file as UTF-8"),
        good(5, r#"{"order_id":"A-4","amount":"4"}"#),
    ];
    assert_eq!(read("orders", file), (expected, None));
}

#[test]
fn a_quote_that_is_not_closed_takes_no_other_line_along() {
    let unclosed = "a quote is not closed";
    let twice =
        "text stands behind a closing quote: a quote inside a quoted field is written twice";
    let closed_later = |line| {
        format!(
            "a quote is not closed, or text stands behind the one that closes it in line {line}"
        )
    };
    let row = |line, order, amount| {
        good(
            line,
            &format!("{{\"order_id\":\"{order}\",\"amount\":\"{amount}\"}}"),
        )
    };
    let file = |rows: &str| read("orders", format!("order_id,amount\n{rows}").as_bytes());
    let cases = [
        // To the end of the file.
        (
            "A,\"1\nB,2\nC,3",
            vec![bad(2, unclosed), row(3, "B", "2"), row(4, "C", "3")],
        ),
        (
            "A,\"1\r\n\r\nB,2\r\n",
            vec![bad(2, unclosed), row(4, "B", "2")],
        ),
        (
            "A,1\rB,\"2\rC,3\r",
            vec![row(2, "A", "1"), bad(3, unclosed), row(4, "C", "3")],
        ),
        ("A,\"", vec![bad(2, unclosed)]),
        // To the next field with quotes.
        (
            "A,\"1\nB,2\nC,\"3\"\n",
            vec![bad(2, &closed_later(4)), row(3, "B", "2"), row(4, "C", "3")],
        ),
        // To a stray quote that could close it.
        (
            "A,\"1\nB,2\nC,3\"\nD,\"4\"\"\nE\",5,6\nF,6\n",
            vec![
                row(2, "A", "1\\nB,2\\nC,3"),
                bad(
                    5,
                    "4 fields under a heading of 2, in several lines: is a quote not closed?",
                ),
                bad(6, "3 fields under a heading of 2"),
                row(7, "F", "6"),
            ],
        ),
        // In one line.
        (
            "A,\"1\"2\n\"B\"x,2\nC,3\n",
            vec![bad(2, twice), bad(3, twice), row(4, "C", "3")],
        ),
        // Good ones, blanks around them.
        (
            " \"A\", \"1, 2\"\n\t\"B\" , x\"y\"\n \"C\"z,3\n",
            vec![
                row(2, "A", "1, 2"),
                row(3, "B", "x\\\"y\\\""),
                bad(4, twice),
            ],
        ),
        (
            "\"A\" ,\"1\n\n2\"\t\n\"\"\"B\"\"\", 27\" \n\"\",\"\"\nC,\"3\"",
            vec![
                row(2, "A", "1\\n\\n2"),
                row(5, "\\\"B\\\"", "27\\\""),
                row(7, "C", "3"),
            ],
        ),
    ];
    for (rows, expected) in cases {
        assert_eq!(file(rows), (expected, None), "{rows}");
    }
    let heading = read("orders", b"order_id,amount,\"note\nA,1,x\n");
    let told = "the heading in line 1 cannot be read: a quote is not closed".to_owned();
    assert_eq!(heading, (vec![], Some(told)));
}

#[test]
fn no_more_of_a_file_than_a_long_row_is_held_for_a_quote() {
    let row = |number: usize| format!("A-{number},1,{}\n", "x".repeat(100));
    let rows: String = (0..10_000).map(row).collect();
    let long = "y".repeat(600_000);
    let text = format!("order_id,amount,note\nB,2,\"tv\n{rows}{long}\nC,3,z\n");
    let (found, end) = read("orders", text.as_bytes());
    assert_eq!((found.len(), end), (10_003, None));
    assert_eq!(found[0], bad(2, "a quote is not closed within 512 KiB"));
    assert_eq!(found[10_001], bad(10_003, "the row has more than 512 KiB"));
    let last = r#"{"order_id":"C","amount":"3","note":"z"}"#;
    assert_eq!(found[10_002], good(10_004, last));
    assert!(found[1..10_001].iter().all(|(_, object)| object.is_ok()));
}

#[test]
fn json_lines_are_kept_as_they_are() {
    let file = "{\"order_id\":1, \"amount\": 2.50}\r\n\n[1]\n{\"a\":\n  {\"order_id\":\"x\"}";
    let (rows, end) = read("orders", file.as_bytes());
    assert_eq!(rows[0], good(1, "{\"order_id\":1, \"amount\": 2.50}"));
    assert_eq!(rows[1], bad(3, "the line is no JSON object"));
    assert!(rows[2].0 == 4 && rows[2].1.is_err());
    assert_eq!(rows[3], good(5, "{\"order_id\":\"x\"}"));
    assert_eq!((rows.len(), end), (4, None));
    // Cut off, and not laid out.
    let (rows, end) = read("orders", b"{\"order_id\":\n\n {\"order_id\":2}\n");
    assert!(rows[0].1.is_err() && rows[1] == good(3, "{\"order_id\":2}"));
    assert_eq!((rows.len(), end), (2, None));
    let long = format!("{{\"a\":\"{}\"}}\n{{}}\n", "x".repeat(600_000));
    let (rows, _) = read("orders", long.as_bytes());
    assert_eq!(
        rows,
        [bad(1, "the row has more than 512 KiB"), good(2, "{}")]
    );
}

#[test]
fn xml_by_elements_and_by_attributes() {
    let elements = "<?xml version=\"1.0\"?>\n<XROOT>\n<SID>7</SID>\n <T>\n  <OrderID>M&amp;1</OrderID><U1> c </U1><X/>\n </T>\n<T><OrderID><![CDATA[<2>]]></OrderID></T></XROOT>\n";
    let expected = vec![
        good(4, r#"{"OrderID":"M&1","U1":"c","X":""}"#),
        good(7, r#"{"OrderID":"<2>"}"#),
    ];
    assert_eq!(
        read("rakuten-signature-feed", elements.as_bytes()),
        (expected, None)
    );
    let attributes = "<XROOT xmlns=\"urn:x\"><list><t OrderID=\"M&#49;\" U1=\"\"/></list></XROOT>";
    let expected = vec![good(1, r#"{"OrderID":"M1","U1":""}"#)];
    assert_eq!(
        read("rakuten-signature-feed", attributes.as_bytes()),
        (expected, None)
    );
}

#[test]
fn a_text_with_attributes_is_a_field_and_attributes_alone_are_a_row() {
    let feed = |inside: &str| {
        let root = "<XROOT xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">";
        read(
            "rakuten-signature-feed",
            format!("{root}{inside}</XROOT>").as_bytes(),
        )
    };
    let one = |object: &str| (vec![good(1, object)], None);
    let element = "<T><TID>a1</TID><SaleAmount currency=\"USD\" xsi:type=\"n\">5.00</SaleAmount><U1 xsi:nil=\"true\"/></T>";
    let expected = r#"{"TID":"a1","SaleAmount.currency":"USD","SaleAmount":"5.00","U1":""}"#;
    assert_eq!(feed(element), one(expected));
    let typed =
        "<T xsi:type=\"Sale\"><TID xsi:type=\"n\">a1</TID><U1 x=\"1\" xsi:nil=\"1\"></U1></T>";
    let expected = r#"{"TID":"a1","U1.x":"1","U1":""}"#;
    assert_eq!(feed(typed), one(expected));
    // Rows of attributes: alone, around fields, and with a text directly inside the root.
    let (alone, around) = ("<T TID=\"a1\"/>", "<T TID=\"a1\"> <U1>c</U1> </T>");
    assert_eq!(feed(alone), one(r#"{"TID":"a1"}"#));
    assert_eq!(feed(around), one(r#"{"TID":"a1","U1":"c"}"#));
    assert_eq!(feed("<T TID=\"a1\">x</T>"), one(r#"{"TID":"a1"}"#));
    let listed = "<list xsi:type=\"many\"><T TID=\"a1\"/></list>";
    assert_eq!(feed(listed), one(r#"{"TID":"a1"}"#));
}

#[test]
fn xml_is_read_in_the_encoding_that_it_names() {
    let file = |line: &str, name: &[u8]| {
        let start = format!("{line}\n<XROOT><T><TID>a1</TID><ProductName>");
        let all = [start.as_bytes(), name, b"</ProductName></T></XROOT>"].concat();
        read("rakuten-signature-feed", &all)
    };
    let expected = |name: &str| {
        let object = format!("{{\"TID\":\"a1\",\"ProductName\":\"{name}\"}}");
        (vec![good(2, &object)], None)
    };
    for name in ["ISO-8859-1", "iso-8859-1", "Windows-1252"] {
        let line = format!("<?xml version='1.0' encoding = '{name}' ?>");
        assert_eq!(
            file(&line, b"Cr\xe8me \x80 5"),
            expected("Crème € 5"),
            "{name}"
        );
    }
    for line in [
        "<?xml version=\"1.0\"?>",
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
        "<?xml version=\"1.0\" encoding=\"utf-16\"?>",
    ] {
        assert_eq!(file(line, "Crème".as_bytes()), expected("Crème"), "{line}");
    }
    let other = file("<?xml version=\"1.0\" encoding=\"ISO-8859-2\"?>", b"x");
    let told = "the file is in ISO-8859-2".to_owned();
    assert_eq!(other, (vec![], Some(told)));
    let (rows, end) = file("<?xml version=\"1.0\"?>", b"Cr\xe8me");
    let told = "line 2 is no XML: a character is not UTF-8, and the file names no other encoding";
    assert_eq!((rows.len(), end.as_deref()), (0, Some(told)));
    for (place, told) in [
        (
            &b"Cr&egrave;me"[..],
            "line 2 is no XML: unknown entity egrave",
        ),
        (b"x</ProductName><P n=\"&egrave;\"/><ProductName>", "egrave"),
    ] {
        let (rows, end) = file("<?xml version=\"1.0\"?>", place);
        assert!(rows.is_empty() && end.is_some_and(|end| end.contains(told)));
    }
}

#[test]
fn what_is_cut_off_or_of_no_form_is_told() {
    let (rows, end) = read("rakuten-signature-feed", b"<XROOT><T><A>1</A></T><T><A>2");
    assert_eq!(rows, [good(1, r#"{"A":"1"}"#)]);
    assert!(end.unwrap().contains("it ends in the middle of an element"));
    let cases: [(&[u8], &str); 10] = [
        (b"", "the file is empty"),
        (
            b"{\n  \"order_id\": \"1\"\n}\n",
            "the file is JSON in several lines",
        ),
        (
            b"\n{ \"order_id\": 1,\r\n\r\n  \"amount\": 2 }",
            "the file is JSON in several lines",
        ),
        (
            b"{\"order_id\":\"J6\",\"items\":[ \r\n{\"a\":1},\n{\"a\":2}]}\n",
            "the file is JSON in several lines",
        ),
        (b"[{}]", "the file is one JSON array"),
        (b"\xff\xfeo\x00", "the file is UTF-16"),
        (b"\x1f\x8b\x08\x00", "the file is packed with gzip"),
        (
            b"PK\x03\x04\x14\x00[Content_Types].xml",
            "the file is a spreadsheet (.xlsx, .ods) or packed with zip",
        ),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
            "the file is a spreadsheet (.xls)",
        ),
        (
            b"a,b\n1,2\n",
            "no line of the file is a heading of Own orders; the first line is: a, b",
        ),
    ];
    for (file, expected) in cases {
        assert_eq!(read("orders", file), (vec![], Some(expected.to_owned())));
    }
}

#[test]
fn of_a_line_that_is_no_heading_the_beginning_is_told() {
    let told = |line: &str| read("orders", line.as_bytes()).1.unwrap();
    let end = format!("the first line is: a\u{fffd}[2J{}…", "é".repeat(195));
    let words = told(&format!("a\u{1b}[2J{}\n", "é".repeat(200_000)));
    assert!(words.ends_with(&end), "{words:.1000}");
    let broken = format!("<XROOT><T>&{};</T>", "e".repeat(100_000));
    let words = read("rakuten-signature-feed", broken.as_bytes()).1.unwrap();
    assert!(words.len() < 300, "{words:.1000}");
}
