//! The application gateways of a document, whatever its form: a template, an export, the answer of a command, a body, or fragments.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::decisive;
use super::deployment::{Deployment, Frame, Loop};
use super::evaluator::{Evaluator, loop_name};
use crate::convert::functions::boolean;
use crate::convert::json::{COLLECTIONS, Member, Node, NodeKind};
use crate::convert::value::{Causes, Unknown, Value};

const GATEWAY: &str = "Microsoft.Network/applicationGateways";
const DEPLOYMENT: &str = "Microsoft.Resources/deployments";

/// Members of a resource that say how it is deployed, not what it is.
const MECHANICS: &[&str] =
    &["$schema", "apiVersion", "comments", "condition", "contentVersion", "copy", "dependsOn", "resources", "scope"];

/// Members under which commands and answers put a gateway, or a list of them.
const WRAPPERS: &[&str] = &["applicationGateway", "newApplicationGateway", "value"];

/// What a document holds.
#[derive(Debug, Default)]
pub(crate) struct Resources {
    pub(crate) gateways: Vec<FoundGateway>,
    /// Gateways that are not deployed, since a condition is false.
    pub(crate) left_out: Vec<LeftOutGateway>,
    /// Types of the other resources, and how many there are of each.
    pub(crate) others: BTreeMap<String, usize>,
    /// Templates in other files that this one refers to.
    pub(crate) links: Vec<String>,
    /// Loops over gateways that can't be unrolled.
    pub(crate) unknown_loops: Vec<Value>,
}

/// A gateway, evaluated.
#[derive(Debug)]
pub(crate) struct FoundGateway {
    /// Everything but how it is deployed.
    pub(crate) resource: Value,
    pub(crate) condition: Condition,
}

/// Whether a gateway is deployed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    Met,
    /// That depends on something unknown.
    Unknown(Causes),
}

/// A gateway that is not deployed.
#[derive(Debug)]
pub(crate) struct LeftOutGateway {
    /// Its name as the template has it.
    pub(crate) name: String,
    /// The parameters that its condition refers to.
    pub(crate) parameters: BTreeSet<String>,
}

/// Finds the gateways of a document. `given` are values of parameters, by their names in lower case.
pub(crate) fn find(document: &Node, given: BTreeMap<String, Value>) -> Resources {
    let mut search = Search { evaluator: Evaluator::new(), found: Resources::default(), fragments: Vec::new() };
    search.document(document, &given);
    if !search.fragments.is_empty() {
        let resource = merged(std::mem::take(&mut search.fragments));
        search.found.gateways.push(FoundGateway { resource, condition: Condition::Met });
    }
    search.found
}

struct Search {
    evaluator: Evaluator,
    found: Resources,
    /// Members of gateways without a gateway around them.
    fragments: Vec<(Rc<str>, Value)>,
}

impl Search {
    fn document(&mut self, node: &Node, given: &BTreeMap<String, Value>) {
        if let NodeKind::List(items) = &node.kind {
            return items.iter().for_each(|item| self.document(item, given));
        }
        let deployment = |is_template| Rc::new(Deployment::new(node, is_template, given.clone()));
        if node.member("type").is_none() && node.member("resources").is_some() {
            let frame = Frame::outermost(deployment(true));
            return self.resources(node.member("resources"), &frame);
        }
        let frame = Frame::outermost(deployment(false));
        if type_of(node).is_some() {
            return self.resource(node, &frame);
        }
        for wrapper in WRAPPERS {
            if let Some(inner) = node.member(wrapper) {
                self.document(inner, given);
            }
        }
        let is_whole = node.member("name").is_some() && is_gateway(node);
        if is_whole || node.member("properties").is_some_and(is_gateway) {
            let resource = self.evaluated(node.members(), &frame);
            self.found.gateways.push(FoundGateway { resource, condition: Condition::Met });
        } else if is_gateway(node) {
            let members = self.evaluator.members(node.members(), &frame);
            self.fragments.extend(members);
        }
    }

    /// The resources of a template: a list, or an object of them by symbolic names.
    fn resources(&mut self, resources: Option<&Node>, frame: &Frame<'_>) {
        let Some(resources) = resources else { return };
        resources.items().iter().for_each(|resource| self.resource(resource, frame));
        resources.members().iter().for_each(|member| self.resource(&member.value, frame));
    }

    fn resource(&mut self, node: &Node, frame: &Frame<'_>) {
        let kind = match type_of(node).map(|kind| self.evaluator.node(kind, frame)) {
            Some(Value::Text(kind)) => kind,
            _ => "a type that is unknown".into(),
        };
        let exists = node.member("existing").is_some_and(|existing| existing.kind == NodeKind::Bool(true));
        if kind.eq_ignore_ascii_case(GATEWAY) && !exists {
            self.deployed(node, frame, Self::gateway);
        } else if kind.eq_ignore_ascii_case(DEPLOYMENT) {
            self.deployed(node, frame, Self::deployment);
        } else {
            *self.found.others.entry(kind.to_string()).or_default() += 1;
            return;
        }
        for child in node.member("resources").map_or(&[][..], Node::items) {
            let kind = child.member("type").and_then(Node::text).unwrap_or("a type that is unknown");
            *self.found.others.entry(kind.to_owned()).or_default() += 1;
        }
    }

    /// Goes on with a resource as often as its loop says, if its condition is not false.
    fn deployed(&mut self, node: &Node, frame: &Frame<'_>, go_on: fn(&mut Self, &Node, &Frame<'_>, Condition)) {
        let mut frames = vec![frame.clone()];
        if let Some(item) = node.member("copy").filter(|_| frame.deployment.is_template) {
            let turn = |index| Loop { name: loop_name(item).to_owned(), index, is_of_resource: true };
            match self.evaluator.turns(item, frame) {
                Ok(count) => frames = (0..count).map(|index| frame.turn(turn(index))).collect(),
                Err(unknown) => {
                    self.found.unknown_loops.push(unknown);
                    return;
                }
            }
        }
        for frame in frames {
            let condition = node.member("condition").filter(|_| frame.deployment.is_template);
            let value = condition.map_or(Value::Bool(true), |condition| self.evaluator.node(condition, &frame));
            match boolean(&value) {
                Ok(true) => go_on(self, node, &frame, Condition::Met),
                Ok(false) => self.leave_out(node, condition, &frame),
                Err(_) => {
                    let mut causes = Causes::new();
                    value.causes(&mut causes);
                    go_on(self, node, &frame, Condition::Unknown(causes));
                }
            }
        }
    }

    fn leave_out(&mut self, node: &Node, condition: Option<&Node>, frame: &Frame<'_>) {
        // Of a nested deployment only what is a gateway matters.
        let template = node.member("properties").and_then(|properties| properties.member("template"));
        let gateways = template.map_or(1, gateways_of);
        let parameters =
            condition.map(|condition| decisive::parameters(condition, &frame.deployment)).unwrap_or_default();
        let name = node.member("name").and_then(Node::text).unwrap_or_default();
        for _ in 0..gateways {
            self.found.left_out.push(LeftOutGateway { name: name.to_owned(), parameters: parameters.clone() });
        }
    }

    fn gateway(&mut self, node: &Node, frame: &Frame<'_>, condition: Condition) {
        let resource = self.evaluated(node.members(), frame);
        self.found.gateways.push(FoundGateway { resource, condition });
    }

    fn evaluated(&self, members: &[Member], frame: &Frame<'_>) -> Value {
        let is_part = |member: &&Member| !MECHANICS.iter().any(|name| member.name.eq_ignore_ascii_case(name));
        let parts: Vec<Member> = members.iter().filter(is_part).cloned().collect();
        Value::object(self.evaluator.members(&parts, frame))
    }

    /// A nested template: with parameters of its own, or evaluated as a part of the template around it.
    fn deployment(&mut self, node: &Node, frame: &Frame<'_>, condition: Condition) {
        let Some(properties) = node.member("properties") else { return };
        if let Some(link) = properties.member("templateLink") {
            let place = ["relativePath", "uri", "id"].iter().find_map(|name| link.member(name));
            let place = place.map(|place| self.evaluator.node(place, frame));
            self.found.links.push(match place {
                Some(Value::Text(text)) => text.to_string(),
                Some(Value::Partial(partial)) => partial.to_string(),
                _ => "a place that is unknown".to_owned(),
            });
        }
        let Some(template) = properties.member("template") else { return };
        let options = properties.member("expressionEvaluationOptions").and_then(|options| options.member("scope"));
        let is_inner = options.and_then(Node::text).is_some_and(|scope| scope.eq_ignore_ascii_case("inner"));
        let before = self.found.gateways.len();
        if is_inner {
            let parameters = properties.member("parameters").map_or(&[][..], Node::members);
            let given =
                parameters.iter().map(|member| (member.name.to_ascii_lowercase(), self.argument(&member.value, frame)));
            let deployment = Deployment::new(template, true, given.collect());
            self.resources(template.member("resources"), &Frame::outermost(Rc::new(deployment)));
        } else {
            self.resources(template.member("resources"), frame);
        }
        if condition != Condition::Met {
            self.found.gateways[before..].iter_mut().for_each(|gateway| gateway.condition = condition.clone());
        }
    }

    /// The value that a deployment gives to a parameter of its template.
    fn argument(&self, node: &Node, frame: &Frame<'_>) -> Value {
        match (node.member("value"), node.member("reference")) {
            (Some(value), _) => self.evaluator.node(value, frame),
            (None, Some(_)) => Unknown::fault("a parameter of a nested template (a Key Vault reference)").into(),
            // The whole may be an expression that gives `{"value": …}`.
            (None, None) => match self.evaluator.node(node, frame) {
                value @ Value::Object(_) => value.member("value").cloned().unwrap_or(Value::Null),
                other => other,
            },
        }
    }
}

fn type_of(node: &Node) -> Option<&Node> {
    node.member("type")
        .or_else(|| node.member("resourceType"))
        .filter(|kind| kind.text().is_some_and(|text| text.contains('/') || text.starts_with('[')))
}

/// Whether an object has members that are a gateway's.
fn is_gateway(node: &Node) -> bool {
    node.members().iter().any(|member| COLLECTIONS.iter().any(|name| member.name.eq_ignore_ascii_case(name)))
}

/// How many gateways a template has, nested ones too.
fn gateways_of(template: &Node) -> usize {
    let Some(resources) = template.member("resources") else { return 0 };
    let all = resources.items().iter().chain(resources.members().iter().map(|member| &member.value));
    all.map(|resource| match type_of(resource).and_then(Node::text) {
        Some(kind) if kind.eq_ignore_ascii_case(GATEWAY) => 1,
        Some(kind) if kind.eq_ignore_ascii_case(DEPLOYMENT) => {
            resource.member("properties").and_then(|properties| properties.member("template")).map_or(0, gateways_of)
        }
        _ => 0,
    })
    .sum()
}

/// Fragments as one gateway: lists of one name are put together.
fn merged(fragments: Vec<(Rc<str>, Value)>) -> Value {
    let mut members: BTreeMap<String, (Rc<str>, Value)> = BTreeMap::new();
    for (name, value) in fragments {
        let entry = members.entry(name.to_ascii_lowercase()).or_insert((name, Value::Null));
        entry.1 = match (entry.1.as_list(), value.as_list()) {
            (Some(before), Some(after)) => Value::list([before, after].concat()),
            _ => value,
        };
    }
    Value::object(members.into_values())
}
