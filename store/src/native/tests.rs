//! Bytes written out by hand, after ClickHouse's description of the format.

use super::*;

struct Pair(&'static str, u16);

impl NativeRow for Pair {
    fn values(&self) -> impl AsRef<[(&'static str, Value<'_>)]> {
        [
            ("name", Value::Text(self.0)),
            ("number", Value::U16(self.1)),
        ]
    }
}

fn described(columns: &[(&str, &str)]) -> Vec<Described> {
    let described = columns.iter().map(|(name, kind)| Described {
        name: (*name).to_owned(),
        kind: (*kind).to_owned(),
    });
    described.collect()
}

fn bytes(block: &mut Block) -> Vec<u8> {
    block.take().concat()
}

#[test]
fn a_block_is_its_columns_one_after_the_other() {
    // The table's own order and further columns do not matter.
    let table = described(&[
        ("number", "UInt16"),
        ("other", "String"),
        ("name", "String"),
    ]);
    let mut block = Block::like(&Pair("", 0), &table).unwrap();
    block.push(&Pair("a", 1)).unwrap();
    block.push(&Pair("bc", 0x0302)).unwrap();
    assert_eq!((block.rows(), &*block.names()), (2, "name, number"));
    let expected = b"\x02\x02\x04name\x06String\x01a\x02bc\x06number\x06UInt16\x01\x00\x02\x03";
    assert_eq!(bytes(&mut block), expected);
    assert_eq!(block.rows(), 0, "it begins anew");
}

#[test]
fn a_dictionary_has_each_text_once() {
    let table = described(&[("name", "LowCardinality(String)"), ("number", "UInt16")]);
    let mut block = Block::like(&Pair("", 0), &table).unwrap();
    for name in ["x", "y", "x", "x"] {
        block.push(&Pair(name, 0)).unwrap();
    }
    let mut expected = b"\x02\x04\x04name\x16LowCardinality(String)".to_vec();
    // Version 1; 32-bit numbers with texts of their own; two texts; four rows.
    for number in [1_u64, 2 | 1 << 9 | 1 << 10, 2] {
        expected.extend_from_slice(&number.to_le_bytes());
    }
    expected.extend_from_slice(b"\x01x\x01y");
    expected.extend_from_slice(&4_u64.to_le_bytes());
    for number in [0_u32, 1, 0, 0] {
        expected.extend_from_slice(&number.to_le_bytes());
    }
    expected.extend_from_slice(b"\x06number\x06UInt16\0\0\0\0\0\0\0\0");
    assert_eq!(bytes(&mut block), expected);
}

struct Nested;

impl NativeRow for Nested {
    fn values(&self) -> impl AsRef<[(&'static str, Value<'_>)]> {
        [
            ("list", Value::Texts(&["a", "b"])),
            ("pairs", Value::Pairs(&[("k", "v")])),
            ("none", Value::Null),
        ]
    }
}

#[test]
fn lists_and_maps_say_where_each_row_ends() {
    let table = described(&[
        ("list", "Array(String)"),
        ("pairs", "Map(String, String)"),
        ("none", "Nullable(UInt16)"),
    ]);
    let mut block = Block::like(&Nested, &table).unwrap();
    block.push(&Nested).unwrap();
    block.push(&Nested).unwrap();
    let mut expected = b"\x03\x02\x04list\x0dArray(String)".to_vec();
    expected.extend_from_slice(b"\x02\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0\x01a\x01b\x01a\x01b");
    expected.extend_from_slice(b"\x05pairs\x13Map(String, String)");
    expected.extend_from_slice(b"\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x01k\x01k\x01v\x01v");
    expected.extend_from_slice(b"\x04none\x10Nullable(UInt16)\x01\x01\0\0\0\0");
    assert_eq!(bytes(&mut block), expected);
}

#[test]
fn another_table_than_expected_is_told_by_its_column() {
    let of = |columns: &[(&str, &str)]| Block::like(&Pair("a", 1), &described(columns));
    for (columns, message) in [
        (&[("name", "String")][..], "the table has no column number"),
        (
            &[("name", "String"), ("number", "Float64")],
            "column number is Float64",
        ),
    ] {
        let error = of(columns).unwrap_err();
        assert!(
            matches!(&error, ClientError::SchemaMismatch(text) if text == message),
            "{error}"
        );
    }
    let mut block = of(&[("name", "String"), ("number", "UInt32")]).unwrap();
    let error = block.push(&Pair("a", 1)).unwrap_err();
    assert!(
        matches!(&error, ClientError::SchemaMismatch(text) if text.contains("number")),
        "{error}"
    );
}

#[test]
fn lengths_take_seven_bits_a_byte() {
    for (number, expected) in [
        (0, &b"\x00"[..]),
        (127, b"\x7f"),
        (128, b"\x80\x01"),
        (16_384, b"\x80\x80\x01"),
    ] {
        let mut bytes = Vec::new();
        push_varint(&mut bytes, number);
        assert_eq!(bytes, expected, "{number}");
    }
}

#[test]
fn large_columns_are_not_copied() {
    let table = described(&[("name", "String"), ("number", "UInt16")]);
    let mut block = Block::like(&Pair("", 0), &table).unwrap();
    let long = Box::leak("x".repeat(20_000).into_boxed_str());
    block.push(&Pair(long, 7)).unwrap();
    let pieces = block.take();
    assert_eq!(
        pieces.len(),
        3,
        "what stands before, the texts, what stands behind"
    );
    assert_eq!(pieces[0], &b"\x02\x01\x04name\x06String"[..]);
    assert_eq!(pieces[2], &b"\x06number\x06UInt16\x07\x00"[..]);
}
