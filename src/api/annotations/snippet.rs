//! Snippets of nginx's configuration. None is ever run; here it is only decided whether one keeps anybody out.

/// Directives that keep somebody out, whatever their arguments but `off`.
const GUARDS: &[&str] = &[
    "allow",
    "auth_basic",
    "auth_delay",
    "auth_jwt",
    "auth_request",
    "deny",
    "include",
    "internal",
    "limit_conn",
    "limit_except",
    "limit_req",
    "satisfy",
    "secure_link",
    "secure_link_md5",
    "ssl_client_certificate",
    "ssl_verify_client",
    "valid_referers",
];

/// Directives that change answers or requests, and keep nobody out even under a condition.
const ADORNMENTS: &[&str] = &[
    "access_log",
    "add_header",
    "expires",
    "more_clear_headers",
    "more_clear_input_headers",
    "more_set_headers",
    "more_set_input_headers",
    "proxy_hide_header",
    "proxy_set_header",
    "set",
];

/// Variables that have nothing to do with who asks. A condition on these alone may redirect and rewrite.
const HARMLESS_VARIABLES: &[&str] =
    &["$host", "$http_host", "$http_x_forwarded_proto", "$https", "$request_uri", "$scheme", "$server_port", "$uri"];

/// Whether a snippet keeps anybody out, or may: it has a directive that guards, answers with an error, or does something under a
/// condition that is not understood.
pub(super) fn guards(text: &str) -> bool {
    // The conditions around a directive: `None` for a block that is no `if`, else whether it is on harmless variables alone.
    let mut blocks: Vec<Option<bool>> = Vec::new();
    let mut words: Vec<String> = Vec::new();
    for token in tokens(text) {
        match token {
            Token::Word(word) => words.push(word),
            Token::BlockEnd => {
                blocks.pop();
                words.clear();
            }
            end @ (Token::BlockBegin | Token::End) => {
                let words = std::mem::take(&mut words);
                let Some((name, arguments)) = words.split_first() else { continue };
                if name != "if" && directive_guards(name, arguments, &blocks) {
                    return true;
                }
                if matches!(end, Token::BlockBegin) {
                    blocks.push((name == "if").then(|| is_harmless(arguments)));
                }
            }
        }
    }
    // A directive without its end is one that can't be understood.
    words.first().is_some_and(|name| directive_guards(name, &words[1..], &blocks))
}

/// Whether rules of ModSecurity refuse requests, and don't only log them.
pub(super) fn refuses_by_rules(text: &str) -> bool {
    text.lines().any(|line| {
        let words: Vec<String> = line.split_whitespace().map(str::to_ascii_lowercase).collect();
        words.starts_with(&["secruleengine".to_owned(), "on".to_owned()])
    })
}

fn directive_guards(name: &str, arguments: &[String], blocks: &[Option<bool>]) -> bool {
    let name = name.to_ascii_lowercase();
    let first = arguments.first().map(String::as_str);
    if GUARDS.contains(&&*name) {
        return first != Some("off");
    }
    if name.contains("_by_lua") {
        return !["header_filter", "body_filter", "log"].iter().any(|phase| name.starts_with(phase));
    }
    if name == "return" && !first.is_some_and(is_no_error) {
        return true;
    }
    let mut conditions = blocks.iter().flatten().peekable();
    if conditions.peek().is_none() || ADORNMENTS.contains(&&*name) {
        return false;
    }
    let is_understood = matches!(&*name, "return" | "rewrite" | "break");
    !(is_understood && conditions.all(|harmless| *harmless))
}

/// Whether the first argument of `return` is no error: a status below 400, or an address that is redirected to.
fn is_no_error(argument: &str) -> bool {
    argument.parse::<u16>().map_or_else(|_| argument.contains("://"), |status| status < 400)
}

/// Whether the arguments of an `if` name harmless variables alone.
fn is_harmless(condition: &[String]) -> bool {
    let condition = condition.join(" ");
    // A preflight of CORS, which browsers send without any credentials.
    if condition.contains("$request_method") && condition.contains("OPTIONS") && !condition.contains('!') {
        return true;
    }
    let end = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    condition.split('$').skip(1).all(|rest| {
        let name = &rest[..rest.find(end).unwrap_or(rest.len())];
        // A `$` without a name ends a regular expression.
        name.is_empty() || HARMLESS_VARIABLES.iter().any(|harmless| harmless[1..] == *name)
    })
}

enum Token {
    Word(String),
    BlockBegin,
    BlockEnd,
    End,
}

/// The words of a configuration, and what ends a directive. Comments are left out.
fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            word.push(c);
            word.extend(chars.next());
        } else if quote.is_some() {
            if quote == Some(c) { quote = None } else { word.push(c) }
        } else if matches!(c, '"' | '\'') && word.is_empty() {
            quote = Some(c);
        } else if c.is_whitespace() || matches!(c, ';' | '{' | '}') || c == '#' && word.is_empty() {
            // A variable in braces, `${name}`, is part of a word.
            if c == '{' && word.ends_with('$') {
                word.extend(chars.by_ref().take_while(|c| *c != '}'));
                continue;
            }
            if !word.is_empty() {
                tokens.push(Token::Word(std::mem::take(&mut word)));
            }
            match c {
                ';' => tokens.push(Token::End),
                '{' => tokens.push(Token::BlockBegin),
                '}' => tokens.push(Token::BlockEnd),
                '#' => drop(chars.by_ref().find(|c| *c == '\n')),
                _ => {}
            }
        } else {
            word.push(c);
        }
    }
    if !word.is_empty() {
        tokens.push(Token::Word(word));
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_refuse_only_if_their_engine_is_on() {
        assert!(refuses_by_rules("SecRule ARGS x\n  secRuleEngine  On\n"));
        assert!(!refuses_by_rules("SecRuleEngine DetectionOnly\n# SecRuleEngine On"));
    }

    #[test]
    fn a_snippet_guards_if_it_keeps_anybody_out_or_can_not_be_understood() {
        for guarding in [
            "deny all;",
            "allow 10.0.0.0/8;\ndeny all;",
            "location /-/reload { return 403; }",
            "location ~* /auth/realms/ { return 403; }",
            "server_tokens off; return 444;",
            "if ($http_user_agent ~* \"bot\") { return 403; }",
            "if ($cookie_session = '') { return 302 /login; }",
            "if ($http_x_key != \"a;b\") { set $no 1; }\nif ($no) { return 401; }",
            "if ($request_method = POST) { proxy_pass http://other; }",
            "if ($request_method = POST) { rewrite ^ /error break; }",
            "auth_request /check;",
            "auth_basic \"a # b\";",
            "access_by_lua_block { ngx.exit(403) }",
            "limit_except GET { deny all; }",
            "DENY all",
            "add_header X \"${host}\"; deny all;",
            "include /etc/nginx/snippets/office-only.conf;",
            "if ($scheme = http) { return 301 https://$host$request_uri; } if ($remote_addr != 10.0.0.1) { return 301 /no; }",
        ] {
            assert!(guards(guarding), "{guarding}");
        }
        for adorning in [
            "",
            "server_tokens off;",
            "proxy_cache_lock on;",
            "# deny all;\nadd_header X \"deny all;\";",
            "more_set_headers \"X-Frame-Options: DENY\";",
            "if ($scheme = http) { return 301 https://$host$request_uri; }",
            "if ($http_x_forwarded_proto ~ ^http$) { return 308 https://$host$request_uri; }",
            "if ($request_uri ~* \\.(js|css)$) { expires 1y; add_header Cache-Control public; }",
            "if ($request_method = OPTIONS) { add_header Access-Control-Allow-Origin *; }",
            "location /old { return 301 /new; }",
            "rewrite ^/a$ /b last;",
            "proxy_set_header Upgrade $http_upgrade;",
            "auth_basic off;",
            "return 200;",
            "if ($request_method = 'OPTIONS') { add_header Access-Control-Allow-Origin *; return 204; }",
        ] {
            assert!(!guards(adorning), "{adorning}");
        }
    }
}
