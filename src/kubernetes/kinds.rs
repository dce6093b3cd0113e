//! The paths of kinds in the API. It is a table, because discovery takes two requests for each submission.

/// `apiVersion`, `kind` and the plural in the path, for all that sparkctl creates or looks at.
pub const KINDS: [(&str, &str, &str); 16] = [
    ("v1", "Pod", "pods"),
    ("v1", "Service", "services"),
    ("v1", "ConfigMap", "configmaps"),
    ("v1", "Secret", "secrets"),
    ("v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    ("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    ("networking.k8s.io/v1", "Ingress", "ingresses"),
    ("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    ("batch/v1", "Job", "jobs"),
    ("batch/v1", "CronJob", "cronjobs"),
    ("storage.k8s.io/v1", "StorageClass", "storageclasses"),
    // What an administrator sets up.
    ("v1", "Namespace", "namespaces"),
    ("v1", "ServiceAccount", "serviceaccounts"),
    ("rbac.authorization.k8s.io/v1", "Role", "roles"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings"),
    ("scheduling.k8s.io/v1", "PriorityClass", "priorityclasses"),
];

/// The kinds of schedulers, in an API version of each scheduler's own: kind and plural.
pub const SCHEDULERS_KINDS: [(&str, &str); 2] = [("PodGroup", "podgroups"), ("Queue", "queues")];
