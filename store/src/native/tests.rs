//! Bytes written out by hand, after ClickHouse's description of the format.

use super::block::BLOCK_ROWS;
use super::column::{Dictionary, Kept, List, Map, Nullable, Plain, Text};
use super::*;

pub(crate) struct Pair<'a> {
    name: &'a str,
    number: u16,
}

columns! {
    Pairs of Pair { name: Text, number: Plain<u16>, }
}

columns! {
    Named of Pair { name: Dictionary, number: Plain<u16>, }
}

columns! {
    Long of Pair { name: Kept, number: Plain<u16>, }
}

fn bytes<C: Columns>(rows: &mut Prepared<C>) -> Vec<u8> {
    rows.blocks().concat()
}

fn pair(name: &str, number: u16) -> Pair<'_> {
    Pair { name, number }
}

#[test]
fn a_block_is_its_columns_one_after_the_other() {
    let mut rows = Prepared::<Pairs>::default();
    rows.push(&pair("a", 1));
    rows.push(&pair("bc", 0x0302));
    assert_eq!(
        (rows.rows(), &*Prepared::<Pairs>::names()),
        (2, "name, number")
    );
    let expected = b"\x02\x02\x04name\x06String\x01a\x02bc\x06number\x06UInt16\x01\x00\x02\x03";
    assert_eq!(bytes(&mut rows), expected);
    assert_eq!(bytes(&mut rows), expected, "the same again");
    rows.push(&pair("d", 4));
    let further = b"\x02\x01\x04name\x06String\x01d\x06number\x06UInt16\x04\x00";
    assert_eq!(bytes(&mut rows), [&expected[..], further].concat());
    assert_eq!(rows.rows(), 3);
}

#[test]
fn a_dictionary_has_each_text_once_and_begins_anew_in_each_block() {
    let mut rows = Prepared::<Named>::default();
    for name in ["x", "y", "x", "x"] {
        rows.push(&pair(name, 0));
    }
    let block = |count: u8, texts: &[u8], numbers: &[u32], rest: &[u8]| {
        let mut block = vec![2, count];
        block.extend_from_slice(b"\x04name\x16LowCardinality(String)");
        // Version 1; 32-bit numbers with texts of their own; how many texts.
        for number in [1_u64, 2 | 1 << 9 | 1 << 10, texts.len() as u64 / 2] {
            block.extend_from_slice(&number.to_le_bytes());
        }
        block.extend_from_slice(texts);
        block.extend_from_slice(&u64::from(count).to_le_bytes());
        for number in numbers {
            block.extend_from_slice(&number.to_le_bytes());
        }
        block.extend_from_slice(b"\x06number\x06UInt16");
        block.extend_from_slice(rest);
        block
    };
    let first = block(4, b"\x01x\x01y", &[0, 1, 0, 0], &[0; 8]);
    assert_eq!(bytes(&mut rows), first);
    rows.push(&pair("x", 0));
    let second = block(1, b"\x01x", &[0], &[0; 2]);
    assert_eq!(bytes(&mut rows), [first, second].concat());
}

pub(crate) struct Nested<'a> {
    list: Vec<&'a str>,
    pairs: Vec<(&'a str, &'a str)>,
    lists: Vec<(&'a str, &'a [String])>,
    none: Option<u16>,
}

columns! {
    Nests of Nested {
        list: List<Text>,
        pairs: Map<Text, Text>,
        lists: Map<Text, List<Text>>,
        none: Nullable<u16>,
    }
}

#[test]
fn lists_and_maps_say_where_each_row_ends() {
    let texts = ["1".to_owned(), "2".to_owned()];
    let row = |none| Nested {
        list: vec!["a", "b"],
        pairs: vec![("k", "v")],
        lists: vec![("m", &texts[..])],
        none,
    };
    let mut rows = Prepared::<Nests>::default();
    rows.push(&row(None));
    rows.push(&row(Some(7)));
    let mut expected = b"\x04\x02\x04list\x0dArray(String)".to_vec();
    expected.extend_from_slice(b"\x02\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0\x01a\x01b\x01a\x01b");
    expected.extend_from_slice(b"\x05pairs\x13Map(String, String)");
    expected.extend_from_slice(b"\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x01k\x01k\x01v\x01v");
    expected.extend_from_slice(b"\x05lists\x1aMap(String, Array(String))");
    expected.extend_from_slice(b"\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x01m\x01m");
    expected.extend_from_slice(b"\x02\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0\x011\x012\x011\x012");
    expected.extend_from_slice(b"\x04none\x10Nullable(UInt16)\x01\x00\0\0\x07\0");
    assert_eq!(bytes(&mut rows), expected);
}

#[test]
fn full_blocks_are_closed() {
    let mut rows = Prepared::<Pairs>::default();
    for _ in 0..=BLOCK_ROWS {
        rows.push(&pair("a", 1));
    }
    // 1,024 as a varint, then 1.
    let [first, second] = rows.blocks() else {
        panic!("two blocks in one piece each")
    };
    assert_eq!(first[..7], b"\x02\x80\x08\x04nam"[..]);
    assert_eq!(second[..6], b"\x02\x01\x04nam"[..]);
}

#[test]
fn what_is_kept_is_not_copied() {
    let mut rows = Prepared::<Long>::default();
    rows.push(&pair("x", 7));
    let pieces = rows.blocks();
    assert_eq!(
        pieces.len(),
        3,
        "what stands before, the texts, what stands behind"
    );
    assert_eq!(pieces[0], &b"\x02\x01\x04name\x06String"[..]);
    assert_eq!(pieces[1], &b"\x01x"[..]);
    assert_eq!(pieces[2], &b"\x06number\x06UInt16\x07\x00"[..]);
}
