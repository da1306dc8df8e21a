//! The examples, each with the page that it is from. What a page leaves to pictures is as its text describes it.

/// One example.
pub(super) struct Example {
    /// The page, below learn.microsoft.com/azure/application-gateway, and its section.
    pub(super) source: &'static str,
    /// The listeners, if they are not the usual ones.
    pub(super) listeners: Option<&'static str>,
    /// What the example adds to the specification.
    pub(super) spec: &'static str,
    pub(super) exchanges: &'static [Exchange],
}

/// A request, and what becomes of it.
pub(super) struct Exchange {
    pub(super) asks: &'static str,
    /// The pool and the target that its backend gets, or status and Location of a redirect.
    pub(super) gets: &'static str,
    /// Headers that one side gets; without a value: none of that name.
    pub(super) headers: &'static [(Side, &'static str, &'static str)],
}

#[derive(Debug)]
pub(super) enum Side {
    Backend,
    Client,
}

const fn to(asks: &'static str, gets: &'static str) -> Exchange {
    Exchange { asks, gets, headers: &[] }
}

const BASIC: &str = "  requestRoutingRules: [{name: r, ruleType: Basic, httpListener: {name: http}, backendAddressPool: {name: default}, \
                     backendHttpSettings: {name: override}}]\n";

/// The path map of the overview: images and videos have pools of their own.
const PATH_MAP: &str = "  requestRoutingRules: [{name: r, ruleType: PathBasedRouting, httpListener: {name: http}, urlPathMap: {name: map}}]
  urlPathMaps:
  - name: map
    defaultBackendAddressPool: {name: default}
    defaultBackendHttpSettings: {name: plain}
    pathRules:
    - {name: video, paths: [/video/*], backendAddressPool: {name: video}, backendHttpSettings: {name: plain}}
    - {name: images, paths: [/images/*], backendAddressPool: {name: images}, backendHttpSettings: {name: plain}}
";

macro_rules! override_map {
    ($path:literal) => {
        concat!(
            "  requestRoutingRules: [{name: r, ruleType: PathBasedRouting, httpListener: {name: http}, urlPathMap: {name: map}}]\n",
            "  urlPathMaps:\n  - name: map\n    defaultBackendAddressPool: {name: default}\n",
            "    defaultBackendHttpSettings: {name: override}\n",
            "    pathRules: [{name: r, paths: [\"", $path,
            "\"], backendAddressPool: {name: video}, backendHttpSettings: {name: override}}]\n",
        )
    };
}

/// A Basic rule that redirects.
macro_rules! redirect {
    ($redirect:literal) => {
        concat!(
            "  redirectConfigurations: [{name: to, ", $redirect, "}]\n",
            "  requestRoutingRules:\n",
            "  - {name: from, ruleType: Basic, httpListener: {name: http}, redirectConfiguration: {name: to}}\n",
            "  - {name: to, ruleType: Basic, httpListener: {name: https}, backendAddressPool: {name: default}, backendHttpSettings: {name: plain}}\n",
            "  - {name: other, ruleType: Basic, httpListener: {name: other}, backendAddressPool: {name: default}, backendHttpSettings: {name: plain}}\n",
        )
    };
}

/// A Basic rule with one rewrite rule.
macro_rules! rewrite {
    ($rule:literal) => {
        concat!(
            "  requestRoutingRules: [{name: r, ruleType: Basic, httpListener: {name: http}, backendAddressPool: {name: default}, ",
            "backendHttpSettings: {name: plain}, rewriteRuleSet: {name: set}}]\n",
            "  rewriteRuleSets: [{name: set, rewriteRules: [{name: r, ", $rule, "}]}]\n",
        )
    };
}

pub(super) const EXAMPLES: &[Example] = &[
    Example {
        source: "configuration-http-settings, override backend path: basic rule",
        listeners: None,
        spec: BASIC,
        exchanges: &[
            to("http://contoso.com/home/", "default /override/home/"),
            to("http://contoso.com/home/secondhome/", "default /override/home/secondhome/"),
        ],
    },
    Example {
        source: "configuration-http-settings, override backend path: path rule /pathrule*",
        listeners: None,
        spec: override_map!("/pathrule*"),
        exchanges: &[
            to("http://contoso.com/pathrule/home/", "video /override/home/"),
            to("http://contoso.com/pathrule/home/secondhome/", "video /override/home/secondhome/"),
            to("http://contoso.com/home/", "default /override/home/"),
            to("http://contoso.com/home/secondhome/", "default /override/home/secondhome/"),
        ],
    },
    Example {
        source: "configuration-http-settings, override backend path: path rule /pathrule/home*",
        listeners: None,
        spec: override_map!("/pathrule/home*"),
        exchanges: &[
            to("http://contoso.com/pathrule/home/", "video /override/"),
            to("http://contoso.com/pathrule/home/secondhome/", "video /override/secondhome/"),
        ],
    },
    Example {
        source: "configuration-http-settings, override backend path: path rule /pathrule/",
        listeners: None,
        spec: override_map!("/pathrule/"),
        exchanges: &[to("http://contoso.com/pathrule/", "video /override/")],
    },
    Example {
        source: "url-route-overview",
        listeners: None,
        spec: PATH_MAP,
        exchanges: &[
            to("http://contoso.com/video/a.mp4", "video /video/a.mp4"),
            to("http://contoso.com/images/a.png?w=1", "images /images/a.png?w=1"),
            to("http://contoso.com/IMAGES/a.png", "images /IMAGES/a.png"),
            to("http://contoso.com/", "default /"),
            to("http://contoso.com/imagesque", "default /imagesque"),
        ],
    },
    Example {
        source: "redirect-http-to-https-cli",
        listeners: None,
        spec: redirect!("redirectType: Permanent, targetListener: {name: https}, includePath: true, includeQueryString: true"),
        exchanges: &[to(
            "http://www.contoso.com/shop/cart?item=7&size=a%20b",
            "301 https://www.contoso.com/shop/cart?item=7&size=a%20b",
        )],
    },
    Example {
        source: "redirect-internal-site-cli",
        listeners: Some(
            "
  - {name: http, frontendPort: {name: port80}, protocol: Http, hostName: www.contoso.org}
  - {name: https, frontendPort: {name: port443}, protocol: Https, sslCertificate: {name: contoso}, hostName: www.contoso.com}
  - {name: other, frontendPort: {name: port80}, protocol: Http, hostName: www.contoso.com}",
        ),
        spec: redirect!("redirectType: Permanent, targetListener: {name: other}, includePath: true, includeQueryString: true"),
        exchanges: &[
            to("http://www.contoso.org/images/test.htm?x", "301 http://www.contoso.com/images/test.htm?x"),
            to("http://www.contoso.com/images/test.htm?x", "default /images/test.htm?x"),
        ],
    },
    Example {
        source: "redirect-external-site-cli",
        listeners: None,
        spec: redirect!("redirectType: Temporary, targetUrl: 'https://bing.com'"),
        exchanges: &[to("http://www.contoso.com/search?q=1", "307 https://bing.com/")],
    },
    Example {
        source: "redirect-overview: an external site, with path and query",
        listeners: None,
        spec: redirect!("targetUrl: 'https://www.fabrikam.com/new?from=contoso', includePath: true, includeQueryString: true"),
        exchanges: &[to(
            "http://www.contoso.com/old//www.evil.example/%0d%0aSet-Cookie:a=b?x=%0a",
            "301 https://www.fabrikam.com/new/old//www.evil.example/%0d%0aSet-Cookie:a=b?from=contoso&x=%0a",
        )],
    },
    Example {
        source: "redirect-overview: 303, neither path nor query",
        listeners: None,
        spec: redirect!("redirectType: SeeOther, targetListener: {name: other}"),
        exchanges: &[to("http://b.contoso.com/old/page?x=1", "303 http://b.contoso.com:8081/")],
    },
    Example {
        source: "tutorial-url-redirect-cli",
        listeners: None,
        spec: "  redirectConfigurations: [{name: to, redirectType: Found, includePath: true, includeQueryString: true, targetListener: {name: http}}]
  requestRoutingRules:
  - {name: default, ruleType: PathBasedRouting, httpListener: {name: http}, urlPathMap: {name: urlpathmap}}
  - {name: redirected, ruleType: PathBasedRouting, httpListener: {name: other}, urlPathMap: {name: redirectpathmap}}
  urlPathMaps:
  - name: urlpathmap
    defaultBackendAddressPool: {name: default}
    defaultBackendHttpSettings: {name: plain}
    pathRules:
    - {name: images, paths: [/images/*], backendAddressPool: {name: images}, backendHttpSettings: {name: plain}}
    - {name: video, paths: [/video/*], backendAddressPool: {name: video}, backendHttpSettings: {name: plain}}
  - name: redirectpathmap
    defaultBackendAddressPool: {name: default}
    defaultBackendHttpSettings: {name: plain}
    pathRules: [{name: images, paths: [/images/*], redirectConfiguration: {name: to}}]
",
        exchanges: &[
            to("http://40.121.222.19/images/test.htm", "images /images/test.htm"),
            to("http://40.121.222.19/video/test.htm", "video /video/test.htm"),
            to("http://40.121.222.19:8081/images/test.htm", "302 http://40.121.222.19/images/test.htm"),
            to("http://40.121.222.19:8081/video/test.htm", "default /video/test.htm"),
        ],
    },
    Example {
        source: "rewrite-http-headers-url: remove port information from X-Forwarded-For",
        listeners: None,
        spec: rewrite!(
            "actionSet: {requestHeaderConfigurations: [{headerName: X-Forwarded-For, headerValue: '{var_add_x_forwarded_for_proxy}'}]}"
        ),
        exchanges: &[Exchange {
            asks: "http://contoso.com/",
            gets: "default /",
            headers: &[(Side::Backend, "x-forwarded-for", "127.0.0.1")],
        }],
    },
    Example {
        source: "rewrite-http-headers-url: modify a redirection URL",
        listeners: None,
        spec: rewrite!(
            "conditions: [{variable: http_resp_Location, pattern: '(https?):\\/\\/.*azurewebsites\\.net(.*)$', ignoreCase: true}], actionSet: \
             {responseHeaderConfigurations: [{headerName: Location, headerValue: '{http_resp_Location_1}://contoso.com{http_resp_Location_2}'}]}"
        ),
        exchanges: &[
            Exchange {
                asks: "http://contoso.com/path1",
                gets: "302 https://contoso.com/path2",
                headers: &[(Side::Client, "x-powered-by", "ASP.NET")],
            },
            to("http://contoso.com/path2", "default /path2"),
        ],
    },
    Example {
        source: "rewrite-http-headers-url: security headers; delete unwanted headers",
        listeners: None,
        spec: rewrite!(
            "actionSet: {responseHeaderConfigurations: [{headerName: Strict-Transport-Security, headerValue: max-age=31536000}, \
             {headerName: X-XSS-Protection, headerValue: 1; mode=block}, {headerName: Server}, {headerName: X-Powered-By}]}"
        ),
        exchanges: &[Exchange {
            asks: "http://contoso.com/",
            gets: "default /",
            headers: &[
                (Side::Client, "strict-transport-security", "max-age=31536000"),
                (Side::Client, "x-xss-protection", "1; mode=block"),
                (Side::Client, "server", ""),
                (Side::Client, "x-powered-by", ""),
            ],
        }],
    },
    Example {
        source: "rewrite-http-headers-url: check for the presence of a header",
        listeners: None,
        spec: rewrite!(
            "conditions: [{variable: http_resp_Location, pattern: '.+'}], actionSet: {responseHeaderConfigurations: [{headerName: \
             X-Redirects, headerValue: 'yes'}]}"
        ),
        exchanges: &[
            Exchange {
                asks: "http://contoso.com/path1",
                gets: "302 https://contoso.azurewebsites.net/path2",
                headers: &[(Side::Client, "x-redirects", "yes")],
            },
            Exchange { asks: "http://contoso.com/", gets: "default /", headers: &[(Side::Client, "x-redirects", "")] },
        ],
    },
    Example {
        source: "rewrite-http-headers-url: parameter based path selection",
        listeners: None,
        spec: "  requestRoutingRules: [{name: r, ruleType: PathBasedRouting, httpListener: {name: http}, urlPathMap: {name: map}}]
  urlPathMaps:
  - name: map
    defaultBackendAddressPool: {name: default}
    defaultBackendHttpSettings: {name: plain}
    defaultRewriteRuleSet: {name: set}
    pathRules:
    - {name: shoes, paths: [/listing1], backendAddressPool: {name: shoes}, backendHttpSettings: {name: plain}}
    - {name: bags, paths: [/listing2], backendAddressPool: {name: bags}, backendHttpSettings: {name: plain}}
    - {name: accessories, paths: [/listing3], backendAddressPool: {name: accessories}, backendHttpSettings: {name: plain}}
  rewriteRuleSets:
  - name: set
    rewriteRules:
    - {name: shoes, ruleSequence: 1, conditions: [{variable: var_query_string, pattern: category=shoes}], actionSet: {urlConfiguration: {modifiedPath: /listing1, reroute: true}}}
    - {name: bags, ruleSequence: 2, conditions: [{variable: var_query_string, pattern: category=bags}], actionSet: {urlConfiguration: {modifiedPath: /listing2, reroute: true}}}
    - {name: accessories, ruleSequence: 3, conditions: [{variable: var_query_string, pattern: category=accessories}], actionSet: {urlConfiguration: {modifiedPath: /listing3, reroute: true}}}
",
        exchanges: &[
            to("http://contoso.com/listing?category=any", "default /listing?category=any"),
            to("http://contoso.com/listing?category=shoes", "shoes /listing1?category=shoes"),
            to("http://contoso.com/listing?category=bags", "bags /listing2?category=bags"),
            to("http://contoso.com/listing?category=accessories", "accessories /listing3?category=accessories"),
        ],
    },
    Example {
        source: "rewrite-http-headers-url: rewrite query string parameters based on the URL",
        listeners: None,
        spec: rewrite!(
            "conditions: [{variable: var_uri_path, pattern: '/(.+)/(.+)'}], actionSet: {urlConfiguration: {modifiedPath: buy.aspx, \
             modifiedQueryString: 'category={var_uri_path_1}&product={var_uri_path_2}'}}"
        ),
        exchanges: &[to(
            "http://www.contoso.com/fashion/shirts",
            "default /buy.aspx?category=fashion&product=shirts",
        )],
    },
    Example {
        source: "rewrite-url-portal",
        listeners: None,
        spec: rewrite!(
            "conditions: [{variable: var_uri_path, pattern: '.*article/(.*)/(.*)', ignoreCase: true}], actionSet: {urlConfiguration: \
             {modifiedPath: /article.aspx, modifiedQueryString: 'id={var_uri_path_1}&title={var_uri_path_2}'}}"
        ),
        exchanges: &[
            to("http://contoso.com/article/123/fabrikam", "default /article.aspx?id=123&title=fabrikam"),
            to("http://contoso.com/other/123/fabrikam", "default /other/123/fabrikam"),
        ],
    },
];
