//! The types of objects that the fake API server stores, and the paths at which it serves them.

/// A type of objects.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ResourceType {
    /// The API group; empty for the core.
    pub(super) group: &'static str,
    /// The version of the group.
    pub(super) version: &'static str,
    /// The name in paths.
    pub(super) plural: &'static str,
    /// The name in objects.
    pub(super) kind: &'static str,
    /// Whether each object is in a namespace.
    pub(super) namespaced: bool,
    /// Short names for the command line.
    pub(super) short: &'static [&'static str],
    /// Whether requests are only answered and nothing is stored, as for access reviews.
    pub(super) virtual_only: bool,
}

const fn namespaced(
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    kind: &'static str,
    short: &'static [&'static str],
) -> ResourceType {
    ResourceType { group, version, plural, kind, namespaced: true, short, virtual_only: false }
}

const fn global(
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    kind: &'static str,
    short: &'static [&'static str],
) -> ResourceType {
    ResourceType { group, version, plural, kind, namespaced: false, short, virtual_only: false }
}

pub(super) const PODS: ResourceType = namespaced("", "v1", "pods", "Pod", &["po"]);
pub(super) const CLAIMS: ResourceType =
    namespaced("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", &["pvc"]);
pub(super) const EVENTS: ResourceType = namespaced("", "v1", "events", "Event", &["ev"]);
pub(super) const NAMESPACES: ResourceType = global("", "v1", "namespaces", "Namespace", &["ns"]);
pub(super) const NODES: ResourceType = global("", "v1", "nodes", "Node", &["no"]);
pub(super) const ACCOUNTS: ResourceType =
    namespaced("", "v1", "serviceaccounts", "ServiceAccount", &["sa"]);
pub(super) const STORAGE_CLASSES: ResourceType =
    global("storage.k8s.io", "v1", "storageclasses", "StorageClass", &["sc"]);
pub(super) const ACCESS_REVIEWS: ResourceType = ResourceType {
    virtual_only: true,
    ..global(
        "authorization.k8s.io",
        "v1",
        "selfsubjectaccessreviews",
        "SelfSubjectAccessReview",
        &[],
    )
};

/// All types. The pods run and the claims are bound; the others are only stored.
pub(super) static RESOURCES: &[ResourceType] = &[
    PODS,
    CLAIMS,
    EVENTS,
    NAMESPACES,
    NODES,
    ACCOUNTS,
    namespaced("", "v1", "configmaps", "ConfigMap", &["cm"]),
    namespaced("", "v1", "secrets", "Secret", &[]),
    namespaced("", "v1", "services", "Service", &["svc"]),
    namespaced("", "v1", "resourcequotas", "ResourceQuota", &["quota"]),
    namespaced("", "v1", "limitranges", "LimitRange", &["limits"]),
    global("", "v1", "persistentvolumes", "PersistentVolume", &["pv"]),
    namespaced("apps", "v1", "deployments", "Deployment", &["deploy"]),
    namespaced("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", &["netpol"]),
    namespaced("rbac.authorization.k8s.io", "v1", "roles", "Role", &[]),
    namespaced("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", &[]),
    STORAGE_CLASSES,
    ACCESS_REVIEWS,
    global(
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        &["crd", "crds"],
    ),
];

impl ResourceType {
    /// The name with its group, as in messages.
    pub(super) fn qualified(&self) -> String {
        match self.group {
            "" => self.plural.to_owned(),
            group => format!("{}.{group}", self.plural),
        }
    }

    /// The `apiVersion` of its objects.
    pub(super) fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }
}

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ResourcePath {
    pub(super) resource: &'static ResourceType,
    /// The namespace; empty for all namespaces and for objects that are in none.
    pub(super) namespace: String,
    /// The object; empty for all.
    pub(super) name: String,
    /// A part of the object, such as `exec`; empty for the object itself.
    pub(super) part: String,
}

impl ResourcePath {
    /// Reads the path of a request. `None` if no API has it.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let mut parts = path.split('/').skip(1);
        let (group, version) = match parts.next()? {
            "api" => ("", parts.next()?),
            "apis" => (parts.next()?, parts.next()?),
            _ => return None,
        };
        let rest: Vec<&str> = parts.collect();
        let (namespace, rest) = match &rest[..] {
            // A namespace is an object too: its own path ends with its name or a part of it.
            ["namespaces", namespace, plural, rest @ ..]
                if !["status", "finalize"].contains(plural) =>
            {
                (*namespace, [&[*plural], rest].concat())
            }
            _ => ("", rest),
        };
        let (plural, name, part) = match &rest[..] {
            [plural] => (plural, "", ""),
            [plural, name] => (plural, *name, ""),
            [plural, name, part] => (plural, *name, *part),
            _ => return None,
        };
        let resource = RESOURCES.iter().find(|resource| {
            resource.group == group && resource.version == version && resource.plural == *plural
        })?;
        let fits = resource.namespaced || namespace.is_empty();
        let whole = !resource.namespaced || !namespace.is_empty() || name.is_empty();
        (fits && whole).then(|| Self {
            resource,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            part: part.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_names_an_object_and_a_part_of_it() {
        let path = ResourcePath::parse("/api/v1/namespaces/default/pods/a/exec").unwrap();
        assert_eq!((path.resource, path.namespace.as_str()), (&PODS, "default"));
        assert_eq!((path.name.as_str(), path.part.as_str()), ("a", "exec"));
        let path = ResourcePath::parse("/api/v1/namespaces/default").unwrap();
        assert_eq!((path.resource, path.name.as_str()), (&NAMESPACES, "default"));
        let path = ResourcePath::parse("/apis/storage.k8s.io/v1/storageclasses").unwrap();
        assert_eq!(path.resource, &STORAGE_CLASSES);
        assert_eq!(ResourcePath::parse("/apis/example.org/v1/things"), None);
        assert_eq!(ResourcePath::parse("/api/v1/pods/a"), None);
        assert_eq!(ResourcePath::parse("/version"), None);
    }
}
