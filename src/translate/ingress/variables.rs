//! Texts with nginx's variables in them: `$service_name.$namespace.svc.cluster.local`. They are taken apart once; what a variable gives is
//! put in as it is, and never read again.

use http::HeaderName;

use super::backend_ref::{BackendPort, BackendTarget};
use crate::model::ObjectRef;
use crate::model::rewrite::{ServerVariable, Template, TemplatePart, Variable};

/// What the variables stand for that do not depend on a request.
pub(super) struct VariableScope<'a> {
    pub(super) owner: &'a ObjectRef,
    /// The backend of the path.
    pub(super) target: &'a BackendTarget,
    /// The path, as it is written.
    pub(super) path: &'a str,
}

impl VariableScope<'_> {
    /// Takes a text apart.
    ///
    /// # Errors
    /// The name of a variable that is not known.
    pub(super) fn template(&self, text: &str) -> Result<Template, String> {
        let (mut parts, mut literal, mut rest) = (Vec::new(), String::new(), text);
        while let Some((before, after)) = rest.split_once('$') {
            literal.push_str(before);
            let (name, left) = name(after);
            match self.value(name) {
                Some(Value::Text(text)) => literal.push_str(&text),
                Some(Value::Variable(variable)) => {
                    if !literal.is_empty() {
                        parts.push(TemplatePart::Text(std::mem::take(&mut literal).into()));
                    }
                    parts.push(TemplatePart::Variable(variable));
                }
                None => return Err(name.to_owned()),
            }
            rest = left;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(TemplatePart::Text(literal.into()));
        }
        Ok(Template(parts.into()))
    }

    fn value(&self, name: &str) -> Option<Value> {
        let Self { owner, target, path } = self;
        let server = |variable| Some(Value::Variable(Variable::Server(variable)));
        let (service, port) = match target {
            BackendTarget::Service(name, port) => (&**name, port.as_ref()),
            BackendTarget::Resource | BackendTarget::Nothing => ("", None),
        };
        match name {
            "namespace" => Some(Value::Text(owner.namespace().to_owned())),
            "ingress_name" => Some(Value::Text(owner.name().to_owned())),
            "service_name" => Some(Value::Text(service.to_owned())),
            "service_port" => Some(Value::Text(match port {
                Some(BackendPort::Name(name)) => name.to_string(),
                Some(BackendPort::Number(number)) => number.to_string(),
                None => String::new(),
            })),
            "location_path" => Some(Value::Text((*path).to_owned())),
            "host" | "server_name" => server(ServerVariable::Host),
            "scheme" | "pass_access_scheme" => server(ServerVariable::RequestScheme),
            "request_uri" => server(ServerVariable::RequestUri),
            "uri" => server(ServerVariable::UriPath),
            "args" | "query_string" => server(ServerVariable::QueryString),
            "request_method" => server(ServerVariable::HttpMethod),
            "remote_addr" => server(ServerVariable::ClientIp),
            "remote_port" => server(ServerVariable::ClientPort),
            "remote_user" => server(ServerVariable::ClientUser),
            "server_port" => server(ServerVariable::ServerPort),
            "server_protocol" => server(ServerVariable::HttpVersion),
            _ => {
                if let Some(cookie) = name.strip_prefix("cookie_").filter(|cookie| !cookie.is_empty()) {
                    return Some(Value::Variable(Variable::Cookie(cookie.into())));
                }
                let header = name.strip_prefix("http_")?.replace('_', "-");
                HeaderName::from_bytes(header.as_bytes())
                    .ok()
                    .map(|name| Value::Variable(Variable::RequestHeader(name)))
            }
        }
    }
}

/// What a variable stands for.
enum Value {
    Text(String),
    Variable(Variable),
}

/// The name behind a `$`, in braces or not, and what follows it.
fn name(text: &str) -> (&str, &str) {
    if let Some((name, rest)) = text.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
        return (name, rest);
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;

    #[test]
    fn variables_are_taken_apart_and_unknown_ones_are_named() {
        let owner = ObjectRef::new(Kind::Ingress, "shop", "site");
        let target = BackendTarget::Service("web".into(), Some(BackendPort::Number(8080)));
        let scope = VariableScope { owner: &owner, target: &target, path: "/a" };
        for (text, expected) in [
            ("$service_name.$namespace.svc.cluster.local:$service_port", "web.shop.svc.cluster.local:8080"),
            ("${ingress_name}x", "sitex"),
            ("a-$host", "a-{var_host}"),
            ("$http_x_tenant.$cookie_id", "{http_req_x-tenant}.{var_cookie_id}"),
        ] {
            assert_eq!(scope.template(text).map(|template| template.to_string()), Ok(expected.to_owned()), "{text}");
        }
        for (text, unknown) in [("$nope", "nope"), ("a$", ""), ("${host", ""), ("$1", "1"), ("$http_", "http_")] {
            assert_eq!(scope.template(text), Err(unknown.to_owned()), "{text}");
        }
    }
}
