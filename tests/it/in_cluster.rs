//! sparkctl in a pod, as a step of a pipeline in the cluster, with only the pod's service account.

use std::path::Path;

use serde_json::json;

use crate::support::{Namespace, cluster, root};

#[test]
fn a_pod_submits_to_its_own_namespace_with_its_service_account() {
    let ns = Namespace::new("in-cluster");
    let api = &cluster().api;
    api.apply_file("k8s/submitter-rbac.yaml", Some(&ns.name));
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "runner"}});
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "runner"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "spark-submitter"},
        "subjects": [{"kind": "ServiceAccount", "name": "runner", "namespace": ns.name}],
    });
    for object in [account, binding] {
        api.apply(&object, Some(&ns.name));
    }
    let program = Path::new(env!("CARGO_BIN_EXE_sparkctl"));
    let folder = |name: &str, path: &Path| json!({"name": name, "hostPath": {"path": path, "type": "Directory"}});
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "step"},
        "spec": {
            "restartPolicy": "Never",
            "serviceAccountName": "runner",
            "containers": [{
                "name": "sparkctl",
                "image": cluster().spark_image(),
                "command": [
                    "/program/sparkctl", "submit", "--detach", "/examples/jvm-pi.yaml", "--result-file", "/dev/termination-log",
                ],
                "resources": {"requests": {"cpu": "10m"}},
                "securityContext": {"runAsUser": 0},
                "volumeMounts": [
                    {"name": "program", "mountPath": "/program"}, {"name": "examples", "mountPath": "/examples"},
                ],
            }],
            "volumes": [
                folder("program", program.parent().expect("its folder")), folder("examples", &root().join("examples")),
            ],
        },
    });
    api.create(&ns.core("pods"), &pod).expect("the step's pod");
    let ended = ns.wait_for("the step's end", || {
        let pod = ns.pod("step");
        ["Succeeded", "Failed"].map(Into::into).contains(&pod["status"]["phase"]).then_some(pod)
    });
    assert_eq!(ended["status"]["phase"], "Succeeded", "{:#}", ended["status"]);
    assert_eq!(ns.driver()["metadata"]["name"], "jvm-pi-driver");
    // The kubelet mounts that file, so it can be written but not replaced.
    let message = &ended["status"]["containerStatuses"][0]["state"]["terminated"]["message"];
    assert!(message.as_str().is_some_and(|text| text.contains("\"outcome\":\"Submitted\"")), "{message}");
}
