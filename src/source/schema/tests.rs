use serde_json::json;

use super::*;

fn check(schema: Value, mut value: Value) -> (Value, Vec<(String, String, String)>) {
    let mut problems = FieldProblems::default();
    Schema::new(schema).check(&mut value, &mut problems);
    (value, problems.0.into_iter().map(|p| (p.field, p.message, p.remedy)).collect())
}

#[test]
fn each_problem_is_found_with_its_path() {
    let schema = json!({
        "type": "object",
        "required": ["spec"],
        "properties": {"spec": {"$ref": "#/$defs/Spec"}},
        "$defs": {"Spec": {
            "type": "object",
            "required": ["name", "list"],
            "properties": {
                "name": {"type": "string", "maxLength": 3},
                "port": {"type": "integer", "minimum": 1, "maximum": 65535},
                "small": {"type": "integer", "format": "int32"},
                "protocol": {"type": "string", "enum": ["Http", "Https"]},
                "list": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}},
                    "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "either": {"type": "object", "properties": {"a": {}, "b": {}},
                    "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
                "data": {"type": "string", "format": "byte"},
                "flag": {"type": "boolean"},
            },
        }},
    });
    for (spec, field, said) in [
        (json!({"name": "a", "list": [], "prt": 1}), "spec.prt", "did you mean port?"),
        (json!({"list": []}), "spec.name", "required"),
        (json!({"name": null, "list": []}), "spec.name", "required"),
        (json!({"name": 7, "list": []}), "spec.name", "quotes"),
        (json!({"name": "long", "list": []}), "spec.name", "at most 3"),
        (json!({"name": "a", "list": {}}), "spec.list", "a list"),
        (json!({"name": "a", "list": [], "port": "80"}), "spec.port", "remove the quotes"),
        (json!({"name": "a", "list": [], "port": 0}), "spec.port", "between 1 and 65535"),
        (json!({"name": "a", "list": [], "port": 1.5}), "spec.port", "a whole number"),
        (json!({"name": "a", "list": [], "small": 3_000_000_000_u64}), "spec.small", "out of range"),
        (json!({"name": "a", "list": [], "protocol": "http"}), "spec.protocol", "did you mean Http?"),
        (json!({"name": "a", "list": [{"name": "x"}, {"name": "x"}]}), "spec.list[1]", "spec.list[0]"),
        (json!({"name": "a", "list": [], "labels": {"a.b/c": 1}}), "spec.labels[a.b/c]", "text is expected"),
        (json!({"name": "a", "list": [], "either": {}}), "spec.either", "write a, or b"),
        (json!({"name": "a", "list": [], "data": "***"}), "spec.data", "base64"),
        (json!({"name": "a", "list": [], "flag": "yes"}), "spec.flag", "without quotes"),
    ] {
        let (_, problems) = check(schema.clone(), json!({"spec": spec}));
        assert_eq!(problems.len(), 1, "{spec}: {problems:?}");
        assert_eq!(problems[0].0, field, "{spec}");
        assert!(problems[0].1.contains(said) || problems[0].2.contains(said), "{problems:?}");
    }
}

#[test]
fn an_object_is_put_in_stored_form() {
    let schema = json!({
        "type": "object",
        "required": ["list"],
        "properties": {
            "list": {"type": "array"},
            "cpu": {"$ref": "#/$defs/x.Quantity"},
            "data": {"type": "string", "format": "byte"},
            "gone": {"type": "string"},
        },
        "$defs": {"x.Quantity": {"x-kubernetes-int-or-string": true}},
    });
    let (stored, problems) = check(schema, json!({"list": null, "cpu": 1, "data": "aG\nk=\n", "gone": null}));
    assert_eq!(problems, []);
    assert_eq!(stored, json!({"list": [], "cpu": "1", "data": "aGk="}));
}
