//! Ids of resources. The subscription and the group, which Azure alone knows, are left out of them: what refers to an element needs
//! the names at their end.

use super::{Arguments, Outcome, fault};
use crate::convert::value::{Part, Value};

/// `None`: no function of this family.
pub(super) fn call(name: &str, arguments: Arguments<'_>) -> Option<Outcome> {
    let functions = [
        "resourceid",
        "subscriptionresourceid",
        "tenantresourceid",
        "extensionresourceid",
        "managementgroupresourceid",
    ];
    functions.contains(&name).then(|| id(arguments))
}

/// `/providers/Microsoft.Network/applicationGateways/NAME/httpListeners/NAME`. The type is the last argument but the names that has
/// a `/`; what stands before it is the subscription, the group, or the resource that another one extends.
fn id(arguments: Arguments<'_>) -> Outcome {
    let all = arguments.all();
    let is_type = |value: &&Value| value.as_text().is_some_and(|text| text.trim_matches('/').contains('/'));
    let Some(at) = all.iter().position(|value| is_type(&value)) else {
        return fault("none of its arguments is the type of a resource");
    };
    let (before, rest) = all.split_at(at);
    let kind = rest[0].as_text().unwrap_or_default();
    // A whole id in the place of the type, and the type and name of an element after it.
    if kind.starts_with('/')
        || (before.is_empty()
            && rest.get(1).is_some_and(|next| next.as_text().is_some_and(|next| next.starts_with('/'))))
    {
        return Ok(joined(rest.iter().cloned()));
    }
    let mut types = kind.trim_end_matches('/').split('/');
    let mut segments = vec![Value::text("/providers"), Value::text(types.next().unwrap_or_default())];
    let mut names = rest[1..].iter().cloned();
    for kind in types {
        segments.push(Value::text(kind));
        segments.extend(names.next());
    }
    Ok(joined(segments.into_iter().chain(names)))
}

fn joined(segments: impl Iterator<Item = Value>) -> Value {
    let mut parts = Vec::new();
    for (index, segment) in segments.enumerate() {
        if index > 0 {
            parts.push(Part::Known("/".to_owned()));
        }
        match segment {
            Value::Text(text) => parts.push(Part::Known(text.to_string())),
            Value::Partial(partial) => parts.extend(partial.parts().iter().cloned()),
            Value::Unknown(unknown) => parts.push(Part::Unknown(unknown)),
            Value::Number(number) => parts.push(Part::Known(number.to_string())),
            Value::Null | Value::Bool(_) | Value::List(_) | Value::Object(_) => {}
        }
    }
    Value::join(parts)
}
