use proptest::prelude::*;

use super::*;

fn convert_text(text: &str) -> Result<Conversion, ConversionError> {
    convert(text.as_bytes(), None, &Naming::default())
}

/// A template with one pool, of which one address is this expression.
fn template(variables: &str, value: &str) -> String {
    let value = serde_json::Value::from(value);
    format!(
        r#"{{"resources": [{{"type": "Microsoft.Network/applicationGateways", "name": "gw", "properties":
            {{"backendAddressPools": [{{"name": "p", "properties": {{"backendAddresses": [{{"fqdn": {value}}}]}}}}]}}}}],
            "parameters": {{"given": {{"defaultValue": "a/b"}}, "absent": {{}}}}, "variables": {{{variables}}}}}"#
    )
}

/// What an expression is converted to: a text, or why it is unknown.
fn address(value: &str) -> Yaml {
    let variables = r#""list": ["x", "y"], "object": {"Key": 1, "inner": {"k": "v"}}"#;
    let conversion = convert_text(&template(variables, value)).unwrap();
    let pools = conversion.objects[0].field("spec").and_then(|spec| spec.field("backendAddressPools")).unwrap();
    let addresses = pools.items()[0].field("backendAddresses").unwrap();
    addresses.items().first().and_then(|address| address.field("fqdn")).cloned().unwrap_or(Yaml::text(""))
}

#[test]
fn expressions_are_those_of_arm() {
    for (expression, expected) in [
        ("[[literal]", "[literal]"),
        ("[half", "[half"),
        ("[concat('it''s ', 1, true())]", "it's 1True"),
        ("[format('{0}-{1}{{}}', parameters('GIVEN'), 2)]", "a/b-2{}"),
        ("[split(parameters('given'), '/')[1]]", "b"),
        ("[last(split('a,b;c', createArray(',', ';')))]", "c"),
        ("[variables('object').KEY]", "1"),
        ("[variables('object')['inner'].k]", "v"),
        ("[string(variables('object').?absent)]", ""),
        ("[if(and(false(), parameters('absent')), 'a', 'b')]", "b"),
        ("[if(or(equals(parameters('absent'), 'x'), true()), 'a', parameters('absent'))]", "a"),
        ("[if(empty(parameters('absent')), 'same', 'same')]", "same"),
        ("[join(union(variables('list'), createArray('y', 'z')), '.')]", "x.y.z"),
        ("[string(length(union(variables('object'), createObject('other', 1))))]", "3"),
        ("[string(union(createObject('a', createObject('b', 1)), createObject('a', createObject('c', 2))).a.b)]", "1"),
        ("[string(intersection(createArray(1, 2), createArray(2, 3))[0])]", "2"),
        ("[json('{\"a\": [\"b\"]}').a[0]]", "b"),
        ("[string(contains(variables('object'), 'KEY'))]", "True"),
        ("[take(skip('abcdef', 1), 3)]", "bcd"),
        ("[replace(toUpper('a-b'), '-', '')]", "AB"),
        ("[substring('hello', 1, 3)]", "ell"),
        ("[padLeft(7, 3, '0')]", "007"),
        ("[base64ToString(base64('plain'))]", "plain"),
        ("[uri('https://a.example/x/y', 'z')]", "https://a.example/x/z"),
        ("[string(add(mul(3, 4), mod(7, 4)))]", "15"),
        ("[string(range(1, 3)[2])]", "3"),
        ("[join(map(variables('list'), lambda('i', concat(lambdaVariables('i'), '!'))), '')]", "x!y!"),
        ("[join(filter(variables('list'), lambda('i', not(equals(lambdaVariables('i'), 'x')))), '')]", "y"),
        ("[items(createObject('k', 'v'))[0].key]", "k"),
        ("[coalesce(null(), variables('object').?none, 'third')]", "third"),
        ("[last(split(resourceId('sub', 'group', 'Microsoft.Network/a/b', parameters('absent'), 'name'), '/'))]", ""),
    ] {
        match address(expression) {
            Yaml::Unknown(why) if expected.is_empty() => assert!(why.contains("absent"), "{expression}: {why}"),
            found => assert_eq!(found, Yaml::text(expected), "{expression}"),
        }
    }
}

#[test]
fn what_is_unknown_says_why() {
    for (expression, cause) in [
        ("[parameters('absent')]", "parameters('absent') without a value"),
        ("[parameters('undeclared')]", "parameters('undeclared') without a value"),
        ("[concat('a', uniqueString(resourceGroup().id))]", "uniqueString()"),
        ("[reference('x').outputs.y.value]", "reference()"),
        ("[listKeys('x', '2020-01-01').keys[0].value]", "listKeys()"),
        ("[contoso.name('x')]", "contoso.name()"),
        ("[if(parameters('absent'), 'a', 'b')]", "parameters('absent') without a value"),
        ("[length(parameters('absent'))]", "parameters('absent') without a value"),
    ] {
        let Yaml::Unknown(why) = address(expression) else { panic!("{expression} is known") };
        assert_eq!(why, cause, "{expression}");
    }
}

#[test]
fn a_given_parameter_takes_the_place_of_its_default() {
    let parameters =
        r#"{"parameters": {"Absent": {"value": "given.example"}, "secret": {"reference": {"keyVault": {}}}}}"#;
    let text = template("", "[parameters('absent')]");
    let conversion = convert(text.as_bytes(), Some(parameters.as_bytes()), &Naming::default()).unwrap();
    assert!(conversion.objects[0].document().contains("fqdn: given.example"));
    let text = template("", "[parameters('secret')]");
    let conversion = convert(text.as_bytes(), Some(parameters.as_bytes()), &Naming::default()).unwrap();
    assert!(conversion.objects[0].document().contains("parameters('secret') (a Key Vault reference)"));
}

#[test]
fn a_pattern_in_an_export_is_no_expression() {
    let export = |pattern: &str| {
        format!(
            r#"{{"name": "gw", "properties": {{"rewriteRuleSets": [{{"name": "s", "properties": {{"rewriteRules": [{{"name": "r",
                "conditions": [{{"variable": "var_uri_path", "pattern": "{pattern}"}}]}}]}}}}]}}}}"#
        )
    };
    for pattern in ["[a-z]+[0-9]", "[abc]", "[concat]"] {
        let conversion = convert_text(&export(pattern)).unwrap();
        assert!(conversion.objects[0].document().contains(pattern), "{pattern}");
    }
}

#[test]
fn ids_with_a_broken_end_lead_to_their_element() {
    for end in ["", "'", "')]", "\\\"", " "] {
        let text = format!(
            r#"{{"name": "gw", "properties": {{"frontendPorts": [{{"name": "Web", "properties": {{"port": 80}}}}], "httpListeners": [{{"name": "l",
                "properties": {{"protocol": "http", "FrontendPort": {{"ID": "/a/frontendPorts/web{end}"}}}}}}]}}}}"#
        );
        let conversion = convert_text(&text).unwrap();
        assert!(conversion.objects[0].document().contains("frontendPort: {name: Web}"), "{end}");
    }
}

#[test]
fn an_authority_is_carried_over_and_a_key_is_not() {
    let made = rcgen::generate_simple_self_signed(["ca.example".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let encoded = |text: &[u8]| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text);
    let der = encoded(made.cert.der());
    let both = encoded((certificate.clone() + &key).as_bytes());
    for data in [der, both] {
        let text = format!(
            r#"{{"name": "gw", "properties": {{"trustedRootCertificates": [{{"name": "root", "properties": {{"data": "{data}"}}}}]}}}}"#
        );
        let conversion = convert_text(&text).unwrap();
        let map =
            conversion.objects[1].field("data").and_then(|data| data.field("ca.crt")).and_then(Yaml::as_text).unwrap();
        assert_eq!(map.replace(['\r', '\n'], ""), certificate.replace(['\r', '\n'], ""));
        assert!(!conversion.objects[1].document().contains("PRIVATE KEY"));
    }
}

#[test]
fn utf_16_is_read() {
    let text = r#"{"name": "gw", "properties": {"frontendPorts": [{"name": "é", "properties": {"port": 80}}]}}"#;
    let bytes: Vec<u8> = [0xFEFF].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let conversion = convert(&bytes, None, &Naming::default()).unwrap();
    assert!(conversion.objects[0].document().contains("\"é\""));
}

#[test]
fn a_name_that_stands_twice_is_reported() {
    let text =
        r#"{"name": "gw", "properties": {"frontendPorts": [{"name": "a", "properties": {"port": 80, "Port": 81}}]}}"#;
    let conversion = convert_text(text).unwrap();
    assert!(conversion.objects[0].document().contains("port: 81"));
    assert!(conversion.report.to_string().contains("\"Port\" stands there once more"), "{}", conversion.report);
}

/// Pieces of templates, in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just(",".to_owned()),
        Just(":".to_owned()),
        Just("\"properties\":{".to_owned()),
        Just("\"httpListeners\":[{\"name\":\"l\",\"properties\":{".to_owned()),
        Just("\"resources\":[{\"type\":\"Microsoft.Network/applicationGateways\",".to_owned()),
        Just("\"copy\":[{\"name\":\"a\",\"count\":3,\"input\":{}}]".to_owned()),
        Just("// comment\n".to_owned()),
        "\"\\PC{0,12}\"",
        "\\PC{0,8}",
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Expressions that are one in form.
fn expressions() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("'text'".to_owned()),
        Just("7".to_owned()),
        Just("-1".to_owned()),
        Just("variables('v')".to_owned()),
        Just("variables('list')".to_owned()),
        Just("parameters('absent')".to_owned()),
        Just("createArray()".to_owned()),
        Just("createObject('a', 1)".to_owned()),
    ];
    let names = proptest::sample::select(vec![
        "concat",
        "format",
        "if",
        "and",
        "or",
        "not",
        "union",
        "json",
        "split",
        "take",
        "skip",
        "first",
        "last",
        "length",
        "substring",
        "replace",
        "string",
        "int",
        "range",
        "padLeft",
        "items",
        "tryGet",
        "resourceId",
        "contains",
        "indexOf",
        "createObject",
        "map",
        "copyIndex",
        "div",
        "mod",
        "min",
        "base64ToString",
        "uri",
        "flatten",
        "equals",
        "less",
        "frob",
        "a.b",
        "bool",
        "join",
    ]);
    leaf.prop_recursive(5, 40, 4, move |inner| {
        (
            names.clone(),
            proptest::collection::vec(inner, 0..4),
            prop_oneof![Just(""), Just(".a"), Just("[0]"), Just("['a']"), Just(".?b")],
        )
            .prop_map(|(name, arguments, access)| format!("{name}({}){access}", arguments.join(", ")))
    })
}

proptest! {
    #[test]
    fn any_text_is_converted_or_refused(text in pieces()) {
        if let Ok(conversion) = convert_text(&text) {
            conversion.objects.iter().for_each(|object| drop(object.document()));
        }
    }

    #[test]
    fn any_bytes_are_converted_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        drop(convert(&bytes, Some(&bytes), &Naming::default()));
    }

    #[test]
    fn any_expression_gives_a_value_or_says_why_not(expression in expressions(), text in "\\PC{0,30}") {
        for value in [format!("[{expression}]"), format!("[{text}]")] {
            let variables = r#""v": "[concat(variables('w'), 'x')]", "w": ["y"], "list": [1, "two", null]"#;
            let conversion = convert_text(&template(variables, &value)).unwrap();
            prop_assert!(conversion.has_gateway);
        }
    }

    /// What is written is read again as what it was, whatever users wrote.
    #[test]
    fn every_text_survives_the_output(text in any::<String>()) {
        let document = Yaml::map([("field", Yaml::text(&text)), ("list", Yaml::List(vec![Yaml::text(&text)]))]).document();
        let read: serde_json::Value = serde_saphyr::from_str(&document).unwrap();
        prop_assert_eq!(&read["field"], &text);
        prop_assert_eq!(&read["list"][0], &text);
    }
}
