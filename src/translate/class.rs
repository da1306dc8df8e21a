//! Which objects are served: by IngressClass, the default class, and the annotation that came before them. Annotations of
//! classes and Ingresses are read here too, since those of a class are the defaults of its Ingresses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::networking::v1::IngressClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::annotations::{AnnotationProblem, AnnotationProblemKind, AnnotationSettings};
use crate::model::{Kind, ObjectRef, WebSocket};
use crate::report::Reason;
use crate::source::Snapshot;

use super::report::Reports;
use super::upgrade;
use super::websocket;
use super::{CONTROLLER, Options};

const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";
const DEFAULT_CLASS_ANNOTATION: &str = "ingressclass.kubernetes.io/is-default-class";
const INGRESS_NGINX_CONTROLLER: &str = "k8s.io/ingress-nginx";

/// Values that the annotation had by convention, before a class was an object, and their controllers.
const CONVENTIONAL_CLASSES: &[(&str, &str)] = &[
    ("steadygate", CONTROLLER),
    ("nginx", INGRESS_NGINX_CONTROLLER),
    ("azure/application-gateway", "azure/application-gateway"),
];

/// Whether there is a certificate for hosts that have none of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DefaultCertificate {
    /// There is none.
    None,
    /// An option names one.
    Named,
}

/// The defaults that a class gives to the objects that it serves.
#[derive(Debug, Clone)]
pub(super) struct Class {
    /// The settings of its annotations.
    pub(super) settings: Arc<AnnotationSettings>,
    /// Those of the settings that are for WebSocket sessions.
    pub(super) websocket: Arc<WebSocket>,
    /// Whether it is taken over from ingress-nginx. It then keeps the defaults of ingress-nginx.
    pub(super) ingress_nginx: bool,
}

impl Class {
    fn new(settings: Arc<AnnotationSettings>, ingress_nginx: bool) -> Self {
        Self { websocket: Arc::new(websocket::from_annotations(&settings)), settings, ingress_nginx }
    }
}

/// Every class by its name.
#[derive(Debug)]
pub(super) struct Classes {
    options: Options,
    /// Every class by name; `None`: another controller's.
    classes: BTreeMap<String, Option<Class>>,
    /// Classes that exist, but were refused as invalid.
    refused: BTreeSet<String>,
    default: Option<String>,
    /// The class of objects that are served without one.
    unnamed: Class,
    /// The class of those whose class would be one of ingress-nginx.
    unnamed_ingress_nginx: Class,
}

impl Classes {
    /// Reads the classes.
    pub(super) fn read(snapshot: &Snapshot, options: &Options, reports: &mut Reports) -> Self {
        let mut classes = BTreeMap::new();
        let mut default: Option<(&str, &IngressClass)> = None;
        for (key, class) in &snapshot.ingress_classes {
            classes.insert(key.name().to_owned(), read_class(key.name(), class, options, reports));
            let marked = annotation(&class.metadata, DEFAULT_CLASS_ANNOTATION) == Some("true");
            // As the API server's admission chooses among several: the youngest, then the first by name.
            let created = |class: &IngressClass| class.metadata.creation_timestamp.clone();
            if marked && default.is_none_or(|(_, best)| created(class) > created(best)) {
                default = Some((key.name(), class));
            }
        }
        Self {
            options: options.clone(),
            classes,
            refused: snapshot.refused_classes.clone(),
            default: default.map(|(name, _)| name.to_owned()),
            unnamed: Class::new(Arc::default(), false),
            unnamed_ingress_nginx: Class::new(Arc::default(), true),
        }
    }

    /// Whether there is a certificate for hosts that have none of their own.
    pub(super) fn default_certificate(&self) -> DefaultCertificate {
        match self.options.default_certificate {
            None => DefaultCertificate::None,
            Some(_) => DefaultCertificate::Named,
        }
    }

    /// The class that serves an object; `None`: it is not served. The object of another controller is left alone. An object
    /// that names a class which does not exist gets a report.
    pub(super) fn of(
        &self,
        object: &ObjectRef,
        metadata: &ObjectMeta,
        named: Option<&str>,
        reports: &mut Reports,
    ) -> Option<Class> {
        if self.classes.is_empty() && self.refused.is_empty() && self.options.everything_without_class {
            return Some(self.without_class(metadata, named));
        }
        // networking.k8s.io/v1, IngressSpec.ingressClassName: the annotation has precedence over the field.
        let legacy = annotation(metadata, CLASS_ANNOTATION).filter(|_| object.kind == Kind::Ingress);
        if let Some(legacy) = legacy {
            return self.by_annotation(object, legacy, reports);
        }
        let Some(name) = named.or(self.default.as_deref()) else {
            if self.options.everything_without_class {
                reports.warning(
                    object,
                    "spec.ingressClassName",
                    Reason::ClassNotFound,
                    "it names no class and no IngressClass is the default, so it is not served",
                    "name a class, or annotate one as the default",
                );
            }
            return None;
        };
        if let Some(class) = self.classes.get(name) {
            return class.clone();
        }
        let (message, remedy) = self.missing(name);
        reports.error(object, "spec.ingressClassName", Reason::ClassNotFound, message, remedy);
        None
    }

    /// The class that the annotation names. The annotation is no reference: its value may be a convention of some other
    /// controller, whose objects are left alone.
    fn by_annotation(&self, object: &ObjectRef, name: &str, reports: &mut Reports) -> Option<Class> {
        if let Some(class) = self.classes.get(name) {
            return class.clone();
        }
        let controller =
            CONVENTIONAL_CLASSES.iter().find(|(value, _)| *value == name).map(|(_, controller)| *controller);
        if let Some(controller) = controller.filter(|controller| is_served(controller, &self.options)) {
            return Some(self.conventional(controller == INGRESS_NGINX_CONTROLLER));
        }
        if self.options.everything_without_class {
            let (message, remedy) = self.missing(name);
            reports.warning(object, annotation_field(CLASS_ANNOTATION), Reason::ClassNotFound, message, remedy);
        }
        None
    }

    /// Message and remedy of the report on an object whose class is missing or refused.
    fn missing(&self, name: &str) -> (String, &'static str) {
        if self.refused.contains(name) {
            return (format!("the IngressClass {name:?} is refused, so it is not served"), "correct the class");
        }
        (format!("there is no IngressClass {name:?}, so it is not served"), "create the class or correct the name")
    }

    fn conventional(&self, ingress_nginx: bool) -> Class {
        if ingress_nginx { self.unnamed_ingress_nginx.clone() } else { self.unnamed.clone() }
    }

    fn without_class(&self, metadata: &ObjectMeta, named: Option<&str>) -> Class {
        let name = annotation(metadata, CLASS_ANNOTATION).or(named);
        let ingress_nginx = name == Some("nginx") && is_served(INGRESS_NGINX_CONTROLLER, &self.options);
        self.conventional(ingress_nginx)
    }
}

fn read_class(name: &str, class: &IngressClass, options: &Options, reports: &mut Reports) -> Option<Class> {
    let spec = class.spec.as_ref();
    let controller = spec.and_then(|spec| spec.controller.as_deref()).unwrap_or_default();
    if !is_served(controller, options) {
        return None;
    }
    let object = ObjectRef::new(Kind::IngressClass, "", name);
    if spec.is_some_and(|spec| spec.parameters.is_some()) {
        reports.warning(
            &object,
            "spec.parameters",
            Reason::Unsupported,
            "the parameters of a class are not read by this version",
            "set defaults for its Ingresses by annotations on the class",
        );
    }
    let mut settings = read_annotations(Arc::default(), &object, &class.metadata, reports);
    if settings.is_canary {
        // A class is the canary of nothing. It has been reported.
        Arc::make_mut(&mut settings).is_canary = false;
    }
    Some(Class::new(settings, controller == INGRESS_NGINX_CONTROLLER))
}

fn is_served(controller: &str, options: &Options) -> bool {
    controller == options.controller || options.serve_controllers.iter().any(|served| served == controller)
}

/// One annotation of an object.
fn annotation<'m>(metadata: &'m ObjectMeta, key: &str) -> Option<&'m str> {
    metadata.annotations.as_ref()?.get(key).map(String::as_str)
}

/// The field path of an annotation.
pub(super) fn annotation_field(key: &str) -> String {
    format!("metadata.annotations[{key}]")
}

/// The settings of an object's annotations; `defaults` where they say nothing. Annotations that can't be read, are unknown
/// or have no effect are reported.
pub(super) fn read_annotations(
    defaults: Arc<AnnotationSettings>,
    object: &ObjectRef,
    metadata: &ObjectMeta,
    reports: &mut Reports,
) -> Arc<AnnotationSettings> {
    let Some(annotations) = &metadata.annotations else { return defaults };
    let mut settings = AnnotationSettings::clone(&defaults);
    let problems = settings.read(annotations);
    for AnnotationProblem { key, value, kind } in problems {
        let field = annotation_field(&key);
        match kind {
            AnnotationProblemKind::Invalid(expected) => reports.warning(
                object,
                field,
                Reason::InvalidAnnotation,
                format!("{value:?} can't be read, so the default stays"),
                format!("write {expected}"),
            ),
            AnnotationProblemKind::Unsupported(instead) => reports.warning(
                object,
                field,
                Reason::Unsupported,
                format!("{key} is not supported by this version and has no effect"),
                if instead.is_empty() { "remove it where nothing depends on it" } else { instead },
            ),
            AnnotationProblemKind::UnsupportedValue(instead) => reports.warning(
                object,
                field,
                Reason::Unsupported,
                format!("{value:?} is not supported by this version, so the default stays"),
                instead,
            ),
            AnnotationProblemKind::InvalidGuard(expected) => reports.error(
                object,
                field,
                Reason::AccessControl,
                format!("{value:?} can't be read, so what it guards answers 503"),
                format!("write {expected}"),
            ),
            AnnotationProblemKind::Guard(instead) => reports.error(
                object,
                field,
                Reason::AccessControl,
                format!("{key} asks for access control that this version does not have, so what it guards answers 503"),
                instead,
            ),
            AnnotationProblemKind::Canary => reports.error(
                object,
                field,
                Reason::Unsupported,
                "canaries, as Argo Rollouts and Flagger write them, are not supported by this version, so nothing of this \
                 Ingress is served, and the Ingress that it is the canary of takes all requests",
                "release without traffic routing meanwhile (Argo Rollouts: a strategy without trafficRouting; Flagger: \
                 the provider kubernetes), or remove this Ingress",
            ),
            AnnotationProblemKind::Unknown(nearest) => {
                let remedy = match nearest {
                    Some(nearest) => format!("perhaps {nearest} is meant"),
                    None => "remove it, or correct the key".to_owned(),
                };
                reports.warning(
                    object,
                    field,
                    Reason::Unsupported,
                    format!("{key} is no annotation that this version knows, and has no effect"),
                    remedy,
                );
            }
        }
    }
    if settings.upgrade_protocols != defaults.upgrade_protocols {
        upgrade::check(object, &annotation_field(upgrade::ANNOTATION), &settings.upgrade_protocols, reports);
    }
    // Nearly all objects have the settings of their class, which are then shared.
    if settings == *defaults { defaults } else { Arc::new(settings) }
}
