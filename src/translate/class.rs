//! Which objects are served: by IngressClass, the default class, and the annotation that came before them. Annotations of
//! classes and Ingresses are read here too, since those of a class are the defaults of its Ingresses; so are the parameters of a
//! class.

mod gateway;
mod parameters;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::networking::v1::IngressClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::annotations::{AnnotationProblem, AnnotationProblemKind, AnnotationSettings};
use crate::model::{Kind, ObjectRef, WebSocket};
use crate::report::Reason;
use crate::source::{Key, Snapshot};

use super::change::Changes;
use super::report::Reports;
use super::upgrade;
use super::websocket;
use super::{CONTROLLER, Options};
use parameters::Gateways;

pub(super) use gateway::{ClassFrontends, ClassGateway, ClassPages, ClassRewrites, ClassTls, FrontendPorts};
pub(super) use parameters::ReadGateway;

const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";
const DEFAULT_CLASS_ANNOTATION: &str = "ingressclass.kubernetes.io/is-default-class";
const INGRESS_NGINX_CONTROLLER: &str = "k8s.io/ingress-nginx";
const AGIC_CONTROLLER: &str = "azure/application-gateway";

/// Values that the annotation had by convention, before a class was an object, and their controllers.
const CONVENTIONAL_CLASSES: &[(&str, &str)] =
    &[("steadygate", CONTROLLER), ("nginx", INGRESS_NGINX_CONTROLLER), (AGIC_CONTROLLER, AGIC_CONTROLLER)];

/// The controller whose class it is. A class that is taken over keeps the defaults of that controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClassOrigin {
    /// A class of our own, or of no known controller.
    Own,
    /// A class of ingress-nginx.
    IngressNginx,
    /// A class of AGIC.
    Agic,
}

impl ClassOrigin {
    /// Time for the header of a backend's answer, and the longest silence in its body, where nobody has written a limit.
    pub(super) fn request_timeout(self) -> Duration {
        match self {
            // The default of `proxy-read-timeout`.
            Self::IngressNginx => Duration::from_secs(60),
            Self::Own | Self::Agic => Duration::from_secs(30),
        }
    }

    fn of(controller: &str) -> Self {
        match controller {
            INGRESS_NGINX_CONTROLLER => Self::IngressNginx,
            AGIC_CONTROLLER => Self::Agic,
            _ => Self::Own,
        }
    }
}

/// Whether there is a certificate for hosts that have none of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DefaultCertificate {
    /// There is none.
    None,
    /// An option names one.
    Named,
}

/// The defaults that a class gives to the objects that it serves.
#[derive(Debug)]
pub(super) struct Class {
    /// The IngressClass. `None`: an annotation or a convention stands for one.
    pub(super) object: Option<Arc<ObjectRef>>,
    /// The settings of its annotations.
    pub(super) settings: Arc<AnnotationSettings>,
    /// Those of the settings that are for WebSocket sessions.
    pub(super) websocket: Arc<WebSocket>,
    /// The controller whose class it is.
    pub(super) origin: ClassOrigin,
    /// The gateway that its parameters name.
    pub(super) parameters: Parameters,
}

/// The parameters of a class: defaults that an ApplicationGateway gives to its Ingresses.
#[derive(Debug, Clone)]
pub(super) enum Parameters {
    /// There are none.
    None,
    /// The gateway is there.
    Gateway(Arc<ClassGateway>),
    /// They name something that can't be used. It may have been a guard, such as a TLS profile with client certificates, so
    /// nothing of the class is served. The key is that of the gateway, if they name one.
    Broken(Option<Key>),
}

impl Class {
    fn without_object(origin: ClassOrigin) -> Arc<Self> {
        let settings = Arc::default();
        let websocket = Arc::new(websocket::from_annotations(&settings));
        Arc::new(Self { object: None, settings, websocket, origin, parameters: Parameters::None })
    }

    /// The object that has written a setting of an object of this class: the class, where `value` is its own.
    pub(super) fn writer<T: PartialEq>(
        &self,
        owner: &Arc<ObjectRef>,
        settings: &AnnotationSettings,
        value: impl Fn(&AnnotationSettings) -> &T,
    ) -> Arc<ObjectRef> {
        let class = self.object.as_ref().filter(|_| value(settings) == value(&self.settings));
        Arc::clone(class.unwrap_or(owner))
    }
}

impl Parameters {
    /// The gateway, if it is there.
    pub(super) fn gateway(&self) -> Option<&ClassGateway> {
        match self {
            Self::Gateway(gateway) => Some(gateway),
            Self::None | Self::Broken(_) => None,
        }
    }

    /// The key of the gateway that they name, be it there or not.
    pub(super) fn gateway_key(&self) -> Option<&Key> {
        match self {
            Self::Gateway(gateway) => Some(&gateway.object.key),
            Self::Broken(key) => key.as_ref(),
            Self::None => None,
        }
    }
}

/// Every class by its name.
#[derive(Debug)]
pub(super) struct Classes {
    options: Options,
    /// Every class by name; `None`: another controller's.
    classes: BTreeMap<String, Option<Arc<Class>>>,
    /// What stands for classes without an object, by the controller whose defaults hold.
    conventional: [Arc<Class>; 3],
    /// Classes that exist, but were refused as invalid.
    refused: BTreeSet<String>,
    default: Option<String>,
    /// The gateways that parameters of classes name.
    gateways: Gateways,
}

impl Classes {
    /// No class.
    pub(super) fn none(options: &Options) -> Self {
        Self::read(&Snapshot::default(), options, &|_, _| None, &mut Reports::default())
    }

    /// Reads the classes. `read_gateway` reads the gateways that their parameters name.
    pub(super) fn read(
        snapshot: &Snapshot,
        options: &Options,
        read_gateway: ReadGateway<'_>,
        reports: &mut Reports,
    ) -> Self {
        let mut gateways = Gateways::default();
        let mut classes = BTreeMap::new();
        let mut default: Option<(&str, &IngressClass)> = None;
        for (key, class) in &snapshot.ingress_classes {
            classes.insert(key.name().to_owned(), {
                let parameters = |object: &ObjectRef, reports: &mut Reports| {
                    gateways.parameters(object, class, read_gateway, reports)
                };
                read_class(key.name(), class, options, parameters, reports)
            });
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
            conventional: [ClassOrigin::Own, ClassOrigin::IngressNginx, ClassOrigin::Agic].map(Class::without_object),
            refused: snapshot.refused_classes.clone(),
            default: default.map(|(name, _)| name.to_owned()),
            gateways,
        }
    }

    /// Whether parameters of some class name this object.
    pub(super) fn are_parameters(&self, object: &ObjectRef) -> bool {
        self.gateways.names(object)
    }

    /// Whether the classes have to be read again: parameters of one name an ApplicationGateway that has changed, be it there or not, or
    /// that may refer to other objects now.
    pub(super) fn depend_on(&self, changes: &Changes) -> bool {
        self.gateways.name_any(&changes.application_gateways)
            || !self.gateways.is_empty() && !changes.reference_grants.is_empty()
    }

    /// The gateways that parameters of classes name, and that are read otherwise than `before`.
    pub(super) fn changed_gateways(&self, before: &Self) -> BTreeSet<Key> {
        self.gateways.changed(&before.gateways)
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
    ) -> Option<Arc<Class>> {
        if self.classes.is_empty() && self.refused.is_empty() && self.options.everything_without_class {
            return Some(self.without_class(metadata, named));
        }
        // networking.k8s.io/v1, IngressSpec.ingressClassName: the annotation has precedence over the field.
        let legacy = annotation(metadata, CLASS_ANNOTATION).filter(|_| object.kind == Kind::Ingress);
        if let Some(legacy) = legacy {
            return self.by_annotation(object, legacy, reports);
        }
        let Some(name) = named.or(self.default.as_deref()) else {
            if self.options.everything_without_class && !self.are_parameters(object) {
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
    fn by_annotation(&self, object: &ObjectRef, name: &str, reports: &mut Reports) -> Option<Arc<Class>> {
        if let Some(class) = self.classes.get(name) {
            return class.clone();
        }
        let controller =
            CONVENTIONAL_CLASSES.iter().find(|(value, _)| *value == name).map(|(_, controller)| *controller);
        if let Some(controller) = controller.filter(|controller| is_served(controller, &self.options)) {
            return Some(self.conventional(ClassOrigin::of(controller)));
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

    fn conventional(&self, origin: ClassOrigin) -> Arc<Class> {
        let class = self.conventional.iter().find(|class| class.origin == origin);
        Arc::clone(class.expect("there is one for each"))
    }

    fn without_class(&self, metadata: &ObjectMeta, named: Option<&str>) -> Arc<Class> {
        let name = annotation(metadata, CLASS_ANNOTATION).or(named);
        let convention = CONVENTIONAL_CLASSES.iter().find(|(value, _)| Some(*value) == name);
        let served = convention.filter(|(_, controller)| is_served(controller, &self.options));
        self.conventional(served.map_or(ClassOrigin::Own, |(_, controller)| ClassOrigin::of(controller)))
    }
}

fn read_class(
    name: &str,
    class: &IngressClass,
    options: &Options,
    parameters: impl FnOnce(&ObjectRef, &mut Reports) -> Parameters,
    reports: &mut Reports,
) -> Option<Arc<Class>> {
    let controller = class.spec.as_ref().and_then(|spec| spec.controller.as_deref()).unwrap_or_default();
    if !is_served(controller, options) {
        return None;
    }
    let object = ObjectRef::new(Kind::IngressClass, "", name);
    let parameters = parameters(&object, reports);
    let defaults = match &parameters {
        Parameters::Gateway(gateway) => Arc::clone(&gateway.settings),
        Parameters::None | Parameters::Broken(_) => Arc::default(),
    };
    let mut settings = read_annotations(defaults, &object, &class.metadata, reports);
    if settings.canary.enabled {
        let message = "a class is the canary of nothing, so it has no effect";
        let field = annotation_field("nginx.ingress.kubernetes.io/canary");
        reports.warning(&object, field, Reason::InvalidAnnotation, message, "remove it");
        Arc::make_mut(&mut settings).canary.enabled = false;
    }
    let websocket = Arc::new(websocket::from_annotations(&settings));
    let origin = ClassOrigin::of(controller);
    Some(Arc::new(Class { object: Some(Arc::new(object)), settings, websocket, origin, parameters }))
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
