use serde_json::Value;

use super::schema::{self, FieldKind};
use super::{absent, reference};

/// Every field of the schema, with its path.
fn fields(schema: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    for (name, field) in schema::properties(schema).into_iter().flatten() {
        let path = format!("{path}.{name}");
        found.push((path.clone(), field.clone()));
        let inner = if let FieldKind::List(items) = schema::kind(field) { items } else { field };
        fields(inner, &path, found);
    }
}

#[test]
fn every_reference_of_the_schema_leads_to_a_collection() {
    let mut found = Vec::new();
    fields(schema::spec(), "", &mut found);
    assert!(found.len() > 100);
    for (path, field) in found {
        let name = path.rsplit('.').next().unwrap();
        let items =
            if let FieldKind::List(items) = schema::kind(&field) { schema::kind(items) } else { schema::kind(&field) };
        // What is not ARM's own, and a resource of Azure that is no element.
        let is_other = ["publicIPAddress", "secretRef", "configMapRef", "serviceRef"].contains(&name);
        if matches!(items, FieldKind::Reference) && !is_other {
            assert!(reference::is_element(name), "{path}: a line is missing in reference.rs");
        }
    }
}

#[test]
fn what_is_left_out_is_in_the_schema() {
    let mut found = Vec::new();
    fields(schema::spec(), "", &mut found);
    for (path, name) in [("", "globalConfiguration"), ("frontendIPConfigurations[0]", "privateIPAddress")] {
        assert!(absent::is_left_out(path, name));
        assert!(found.iter().any(|(known, _)| known.ends_with(name)), "{name}");
    }
}
