//! From ARM's `Microsoft.Network/applicationGateways`, however it is written, to ApplicationGateway objects and a report.
//!
//! ```text
//! bytes ── json ──> nodes ── template (expression, functions) ──> values ── gateway ──> objects, report
//! ```
//!
//! Any text is converted in bounded time. What is unknown has a placeholder that `check` refuses, and never a default in its place; no key and no
//! password is ever read or written.

mod expression;
mod functions;
mod gateway;
mod json;
mod report;
mod template;
mod value;
mod yaml;

use std::collections::BTreeMap;

pub(crate) use gateway::Naming;
use gateway::Taken;
pub(crate) use json::{MAX_INPUT_BYTES, SyntaxError};
pub(crate) use report::ConversionReport;
use report::Outcome;
use template::Resources;
pub(crate) use yaml::Yaml;

/// What a document was converted to.
#[derive(Debug, Default)]
pub(crate) struct Conversion {
    /// The objects, each a document of YAML.
    pub(crate) objects: Vec<Yaml>,
    pub(crate) report: ConversionReport,
    /// Whether there was a gateway, be it one that is not deployed.
    pub(crate) has_gateway: bool,
}

/// Which of the two files is not readable.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConversionError {
    #[error("the template: {0}")]
    Template(SyntaxError),
    #[error("the parameters: {0}")]
    Parameters(SyntaxError),
}

/// Converts a document, with the file of parameters beside it.
///
/// # Errors
/// One of the two is not JSON.
pub(crate) fn convert(
    document: &[u8],
    parameters: Option<&[u8]>,
    naming: &Naming,
) -> Result<Conversion, ConversionError> {
    let read = |bytes| json::decode(bytes).and_then(|text| json::read(&text));
    let given = match parameters {
        Some(bytes) => template::given(&read(bytes).map_err(ConversionError::Parameters)?.root),
        None => BTreeMap::new(),
    };
    let document = read(document).map_err(ConversionError::Template)?;
    let mut report = ConversionReport::default();
    for (name, position) in &document.duplicates {
        let message = format!("{position}: {name:?} stands there once more, and the last one counts");
        report.add(Outcome::Note, ("", ""), message, "remove one of them");
    }
    let resources = template::find(&document.root, given);
    let has_gateway =
        !resources.gateways.is_empty() || !resources.left_out.is_empty() || !resources.unknown_loops.is_empty();
    let mut objects = Vec::new();
    let mut taken = Taken::default();
    for found in &resources.gateways {
        objects.extend(gateway::convert(found, naming, &mut taken, &mut report));
    }
    describe(&resources, &mut report);
    Ok(Conversion { objects, report, has_gateway })
}

/// Reports what there is in a document beside its gateways, and gateways that are not deployed.
fn describe(resources: &Resources, report: &mut ConversionReport) {
    let Resources { gateways: _, left_out, others, links, unknown_loops } = resources;
    for gateway in left_out {
        let parameters: Vec<_> = gateway.parameters.iter().map(String::as_str).collect();
        let message = format!("the condition of {} is false, so it is not deployed", gateway.name);
        let remedy = match parameters.is_empty() {
            true => String::new(),
            false => {
                format!("these parameters decide it: {}; give them in a file of --parameters", parameters.join(", "))
            }
        };
        report.add(Outcome::LeftOut, ("", ""), message, remedy);
    }
    for unknown in unknown_loops {
        let mut causes = Default::default();
        unknown.causes(&mut causes);
        report.add_unknown("", "copy", &causes);
        let why: Vec<_> = causes.iter().map(ToString::to_string).collect();
        let message = format!("how many gateways a loop makes is unknown: {}", why.join(", "));
        report.add(Outcome::LeftOut, ("", "copy"), message, "give the parameters in a file of --parameters");
    }
    for link in links {
        let message = format!("the linked template {link} is in another file, and is not read");
        report.add(Outcome::LeftOut, ("", ""), message, "convert that file too, if it has a gateway");
    }
    if !others.is_empty() {
        let types: Vec<_> = others
            .iter()
            .map(|(kind, count)| if *count > 1 { format!("{kind} ({count})") } else { kind.clone() })
            .collect();
        report.add(
            Outcome::NotNeeded,
            ("", ""),
            format!("other resources are not converted: {}", types.join(", ")),
            "",
        );
    }
}

#[cfg(test)]
mod tests;
