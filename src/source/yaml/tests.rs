use serde_json::json;

use super::*;
use crate::source::span::FieldSide;

fn values(text: &str) -> Vec<Value> {
    let (documents, faults) = parse_all(text.as_bytes());
    assert_eq!(faults, [], "{text}");
    documents.into_iter().map(|d| d.value).collect()
}

fn fault(text: &str) -> DocumentFault {
    let (_, mut faults) = parse_all(text.as_bytes());
    assert_eq!(faults.len(), 1, "{text}");
    faults.remove(0)
}

#[test]
fn scalars_are_those_of_the_core_schema() {
    for (text, expected) in [
        ("80", json!(80)),
        ("'80'", json!("80")),
        ("\"80\"", json!("80")),
        ("-7", json!(-7)),
        ("+7", json!(7)),
        ("0o17", json!(15)),
        ("0x1F", json!(31)),
        ("1.5", json!(1.5)),
        ("1e3", json!(1000.0)),
        ("18446744073709551615", json!(u64::MAX)),
        ("yes", json!("yes")),
        ("on", json!("on")),
        ("true", json!(true)),
        ("False", json!(false)),
        ("~", json!(null)),
        ("", json!(null)),
        ("2001-01-01", json!("2001-01-01")),
        ("10.0.0.1", json!("10.0.0.1")),
        ("1_000", json!("1_000")),
        ("12e", json!("12e")),
        (".", json!(".")),
        ("!!str 80", json!("80")),
        ("! 80", json!("80")),
        ("!!int '80'", json!(80)),
        ("|\n  a\n  b\n", json!("a\nb\n")),
        (">-\n  a\n  b\n", json!("a b")),
    ] {
        assert_eq!(values(&format!("v: {text}")), [json!({ "v": expected })], "{text}");
    }
}

#[test]
fn documents_are_numbered_and_empty_ones_skipped() {
    let (documents, _) = parse_all(b"# a comment\n---\na: 1\n---\n---\n# nothing\n---\nb: 2\n...\n---\nc: 3\n");
    let numbers: Vec<_> = documents.iter().map(|d| (d.number, d.value.clone())).collect();
    assert_eq!(numbers, [(1, json!({"a": 1})), (2, json!({"b": 2})), (3, json!({"c": 3}))]);
    assert_eq!(documents[1].span.locate("b", FieldSide::Key), Position { line: 8, column: 1 });
    assert_eq!(values("%YAML 1.2\n---\na: 1\n"), [json!({"a": 1})]);
    assert_eq!(values(""), [] as [Value; 0]);
    assert_eq!(values("\u{feff}a: 1"), [json!({"a": 1})]);
}

#[test]
fn a_fault_in_one_document_leaves_the_others() {
    let (documents, faults) = parse_all(b"a: 1\n---\nb: [1\n---\nc: 3\n");
    assert_eq!(documents.iter().map(|d| d.number).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(faults[0].document, 2);
    assert!(faults[0].position.line >= 3, "{faults:?}");
}

#[test]
fn json_is_read_with_tabs_escapes_and_surrogate_pairs() {
    let text = "{\n\t\"a\": \"\\/\\u00e9\\ud83d\\ude00\\\\ud83d\",\n\t\"b\":[1,2,{\"c\":null}],\"d\":{}\n}\n";
    assert_eq!(values(text), [json!({"a": "/é😀\\ud83d", "b": [1, 2, {"c": null}], "d": {}})]);
}

#[test]
fn anchors_aliases_and_merges_expand() {
    let text = "base: &b {x: 1, y: 2}\none:\n  <<: *b\n  y: 3\ntwo: *b\nthree:\n  <<: [*b, {z: 4}]\n";
    assert_eq!(
        values(text),
        [json!({"base": {"x": 1, "y": 2}, "one": {"x": 1, "y": 3}, "two": {"x": 1, "y": 2},
            "three": {"x": 1, "y": 2, "z": 4}})]
    );
    assert_eq!(values("'<<': 1"), [json!({"<<": 1})]);
}

#[test]
fn a_fault_names_its_place_and_a_remedy() {
    for (text, line, message) in [
        ("a: 1\nb: 2\na: 3\n", 3, "on lines 1 and 3"),
        ("{\"a\": 1,\n\"a\": 2}", 2, "on lines 1 and 2"),
        ("a: !!binary aGk=", 1, "!!binary"),
        ("a: !thing x", 1, "!thing"),
        ("a: !!set {x}", 1, "!!set"),
        ("a: .inf", 1, "infinity"),
        ("a:\n\t- b", 2, "tab"),
        ("a: b: c", 1, "mapping values"),
        ("a: *nowhere", 1, "anchor"),
        ("a: &x [*x]", 1, "part of"),
        ("? [1]\n: 2", 1, "a key is a list"),
        (": 2", 1, "key"),
        ("<<: 3", 1, "merges mappings"),
        ("a: 'open\nb: 2", 1, "quoted"),
        ("!!int x", 1, "!!int"),
    ] {
        let fault = fault(text);
        assert_eq!(fault.position.line, line, "{text:?}: {fault:?}");
        assert!(fault.message.contains(message), "{text:?}: {fault:?}");
        assert!(!fault.remedy.is_empty(), "{text:?}");
    }
    assert!(parse_all(b"a: \xff\n").1[0].message.contains("UTF-8"));
}

#[test]
fn what_a_text_may_cost_is_bounded() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..12 {
        let alias = format!("*a{}", i - 1);
        bomb += &format!("a{i}: &a{i} [{}]\n", vec![alias; 9].join(", "));
    }
    assert!(fault(&bomb).message.contains("aliases expanded"));
    let wide = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), vec!["*a"; 100].join(","));
    assert!(fault(&wide).message.contains("aliases expanded"));
    for text in ["[".repeat(1 << 20), "- ".repeat(1 << 20), "{a: ".repeat(1 << 20)] {
        assert!(fault(&text).remedy.contains("less deeply"));
    }
    assert!(parse_all(&vec![b' '; MAX_BYTES + 1]).1[0].message.contains("bytes"));
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        parse_all(&bytes);
    }

    #[test]
    fn no_text_of_yaml_characters_makes_the_reader_panic(
        text in "([-?:,\\[\\]{}#&*!|>'\"%@`<~ \\t\\r\\n.abx01]|: |- |---\\n|<<: |&a |\\*a|!!str |\\\\u|\\\\ud83d|é|\u{0}|\u{feff}){0,80}"
    ) {
        parse_all(text.as_bytes());
    }
}
