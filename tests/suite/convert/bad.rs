//! Input that is bad in every way: it is reported where it is, costs its own element, and nothing is invented.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Converted, convert};

/// Time in which anything is converted, also where other tests keep the machine busy.
const BOUND: Duration = Duration::from_secs(120);

fn converted(text: impl AsRef<[u8]>) -> Converted {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("template.json");
    std::fs::write(&file, text).expect("written");
    let start = Instant::now();
    let converted = convert(&file, &[]);
    assert!(start.elapsed() < BOUND, "it took {:?}", start.elapsed());
    converted
}

/// A template with these variables and these properties of its gateway.
fn template(variables: &str, properties: &str) -> String {
    format!(
        r#"{{"$schema": "deploymentTemplate.json", "variables": {{{variables}}}, "resources": [{{"type": "Microsoft.Network/applicationGateways",
           "name": "gw", "properties": {{"frontendPorts": [{{"name": "web", "properties": {{"port": 80}}}}], {properties}}}}}]}}"#
    )
}

fn spec(converted: &Converted) -> Value {
    converted.of_kind("ApplicationGateway").remove(0)["spec"].clone()
}

#[test]
fn text_that_is_no_json_is_reported_with_line_and_column() {
    for (text, place) in [
        ("{\n  \"a\": 1\n  \"b\": 2\n}", "line 3, column 3: a ',' or '}' is expected"),
        ("{\"a\": [1, 2}", "line 1, column 12"),
        ("{\"a\": \"never closed", "line 1, column 7: the text that begins here has no closing quote"),
        ("{\"a\": 1", "'}' is expected, and the text ends"),
        ("{\"a\": \"\\q\"}", "column 8: this escape is none of JSON"),
        ("{'a': 1}", "column 2"),
        ("{\"a\": 01}", "column 7: this is no number"),
        ("{\"a\": /* no end", "the comment that begins here has no end"),
        ("", "there is nothing in it"),
        ("resource \"azurerm_application_gateway\" {}", "line 1, column 1"),
    ] {
        let converted = converted(text);
        assert_eq!(converted.code, 2, "{text}");
        assert!(converted.report.contains(place), "{text}: {}", converted.report);
        assert_eq!(converted.yaml, "");
    }
    let not_utf8 = converted(b"{\"a\":\n\"\xff\"}");
    assert!(not_utf8.report.contains("line 2, column 2"), "{}", not_utf8.report);
}

#[test]
fn json_without_a_gateway_is_reported() {
    for text in
        ["{}", "[]", "7", "{\"a\": {\"b\": 1}}", r#"{"type": "Microsoft.Network/virtualNetworks", "name": "v"}"#]
    {
        let converted = converted(text);
        assert_eq!((converted.code, converted.yaml.as_str()), (2, ""), "{text}");
        assert!(converted.report.contains("no application gateway"), "{text}: {}", converted.report);
    }
}

#[test]
fn an_expression_that_is_not_understood_costs_its_own_field() {
    for (expression, message) in [
        ("[concat('a'", "is not understood"),
        ("[concat('a',)]", "is not understood: character 12"),
        ("[frobnicate('a')]", "frobnicate(), a function that is not known"),
        ("[variables('absent')]", "variables('absent'), which the template does not have"),
        ("[int('x')]", "argument 1 is no whole number"),
        ("[split('a', '.')[7]]", "there is no 7"),
        ("[format('{9}', 'a')]", "argument 11 is missing"),
        ("[copyIndex()]", "outside its loop"),
    ] {
        // A bracket that is not closed is a text, as in ARM.
        let expression = if expression.ends_with(']') { expression.to_owned() } else { format!("{expression}]") };
        let listener = format!(
            r#""httpListeners": [{{"name": "l", "properties": {{"frontendPort": {{"id": "x/web"}}, "protocol": "Http", "hostName": "{expression}"}}}}]"#
        );
        let converted = converted(template("", &listener));
        assert_eq!(converted.code, 1);
        let found = spec(&converted);
        let host = &found["httpListeners"][0]["hostName"]["unknown"];
        assert!(host.as_str().is_some_and(|host| host.contains(message)), "{expression}: {host}");
        assert_eq!(found["httpListeners"][0]["frontendPort"]["name"], "web");
    }
}

#[test]
fn cycles_end_and_are_reported() {
    let pools =
        r#""backendAddressPools": [{"name": "p", "properties": {"backendAddresses": [{"fqdn": "[variables('a')]"}]}}]"#;
    let converted = converted(template(r#""a": "[variables('b')]", "b": "[concat('x', variables('A'))]""#, pools));
    let address = &spec(&converted)["backendAddressPools"][0]["backendAddresses"][0]["fqdn"]["unknown"];
    assert!(address.as_str().is_some_and(|why| why.contains("refers to itself")), "{address}");
}

#[test]
fn loops_and_texts_are_bounded() {
    let pool = |count: &str| {
        format!(
            r#""backendAddressPools": [{{"name": "p", "properties": {{"copy": [{{"name": "backendAddresses", "count": {count}, "input": {{"ipAddress": "10.0.0.1"}}}}]}}}}]"#
        )
    };
    for (count, message) in [
        ("1000000", "of 1000000 turns; a loop has 0 to 800"),
        ("-1", "of -1 turns"),
        ("\"many\"", "whose count is no number"),
    ] {
        let converted = converted(template("", &pool(count)));
        let unknown = &spec(&converted)["backendAddressPools"][0]["backendAddresses"]["unknown"];
        assert!(unknown.as_str().is_some_and(|why| why.contains(message)), "{count}: {unknown}");
    }
    let none = converted(template("", &pool("0")));
    assert_eq!(spec(&none)["backendAddressPools"][0]["backendAddresses"], Value::Null);

    // Texts, lists and objects that double at each step.
    let doubled = |first: &str, step: &str| {
        let steps =
            (1..60).map(|n| format!(r#", "v{n}": "{}""#, step.replace('@', &format!("variables('v{}')", n - 1))));
        format!(r#""v0": {first}{}"#, steps.collect::<String>())
    };
    let host = |value: &str| {
        format!(
            r#""backendAddressPools": [{{"name": "p", "properties": {{"backendAddresses": [{{"fqdn": "{value}"}}]}}}}]"#
        )
    };
    for (variables, value) in [
        (doubled("\"aaaaaaaaaa\"", "[concat(@, @)]"), "[variables('v59')]"),
        (doubled("[1]", "[concat(@, @)]"), "[string(variables('v59'))]"),
        (doubled("[1]", "[createArray(@, @)]"), "[string(variables('v59'))]"),
        (doubled("\"aaaaaaaaaa\"", "[replace(@, 'a', 'aa')]"), "[variables('v59')]"),
        (doubled("\"aaaaaaaaaa\"", "[format('{0}{0}', @)]"), "[variables('v59')]"),
    ] {
        let converted = converted(template(&variables, &host(value)));
        let unknown = &spec(&converted)["backendAddressPools"][0]["backendAddresses"][0]["fqdn"]["unknown"];
        assert!(unknown.is_string(), "{value}: {unknown}");
    }
}

#[test]
fn depth_and_size_are_bounded() {
    let deep = converted("[".repeat(100_000));
    assert_eq!(deep.code, 2);
    assert!(deep.report.contains("deep in each other"), "{}", deep.report);

    let calls = format!("[{}'a'{}]", "concat(".repeat(10_000), ")".repeat(10_000));
    let converted_calls = converted(template("", &format!(r#""backendAddressPools": [{{"name": "{calls}"}}]"#)));
    assert!(converted_calls.report.contains("deep in each other"), "{}", &converted_calls.report);

    let chain: String = (1..5_000).map(|n| format!(r#", "v{n}": "[variables('v{}')]""#, n - 1)).collect();
    let converted_chain = converted(template(
        &format!(r#""v0": "a"{chain}"#),
        r#""backendAddressPools": [{"name": "[variables('v4999')]"}]"#,
    ));
    assert!(converted_chain.report.contains("deep in each other"), "{}", converted_chain.report);

    let mut large = b"{\"a\": \"".to_vec();
    large.resize(100 << 20, b'a');
    let large = converted(large);
    assert_eq!(large.code, 2);
    assert!(large.report.contains("larger than 16 MiB"), "{}", large.report);
}

#[test]
fn values_that_fit_no_field_are_reported_and_refused() {
    let properties = r#""backendHttpSettingsCollection": [{"name": "s", "properties": {"port": "http", "protocol": 7, "pickHostNameFromBackendAddress": "perhaps"}}],
        "probes": "none", "frobs": [1], "httpListeners": [17]"#;
    let converted = converted(template("", properties));
    for word in [
        "http is not a whole number",
        "perhaps is not true or false",
        "frobs is no property that is known here",
        "17 is not an object",
    ] {
        assert!(converted.report.contains(word), "{word}: {}", converted.report);
    }
    assert_eq!(converted.code, 1);
    let (code, printed) = super::check(&converted.yaml);
    assert_eq!(code, 1, "{printed}");
}
