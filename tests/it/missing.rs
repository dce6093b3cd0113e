//! Missing objects, and the suggestion of existing ones.

use std::path::PathBuf;

use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};

use crate::support::jobs::{job, job_with};
use crate::support::{Namespace, cluster};

fn named(kind: &str, name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}})
}

#[test]
fn suggests_similar_names_and_other_namespaces_to_users_who_may_list_them() {
    let (ns, other) = (Namespace::new("near"), Namespace::new("elsewhere"));
    let create = |ns: &Namespace, plural: &str, object: &Value| {
        cluster().api.create(&ns.core(plural), object).expect("an object");
    };
    create(&ns, "secrets", &named("Secret", "db-cred"));
    create(&other, "secrets", &named("Secret", "db-creds"));
    let secret = json!({"envSecretKeyRefs": {"PASSWORD": {"name": "db-creds", "key": "password"}}});
    let secret = job_with(&ns, "secret", "true", &secret);
    let run = ns.sparkctl().arg("submit").arg(&secret).args(["--image-pull-timeout", "3s"]).assert();
    let elsewhere = format!("one with this name exists in namespace {}; did you mean `db-cred`?", other.name);
    run.code(4).stderr(contains(elsewhere));
    ns.sparkctl().args(["describe", "secret"]).assert().code(0).stdout(contains("did you mean `db-cred`?"));

    // A user who may not list Secrets still gets the message, without a suggestion.
    create(&ns, "configmaps", &named("ConfigMap", "orders-conf"));
    let map =
        json!({"env": [{"name": "ORDERS", "valueFrom": {"configMapKeyRef": {"name": "order-conf", "key": "x"}}}]});
    let map = job_with(&ns, "map", "true", &map);
    let run = ns.submitter().arg("submit").arg(&map).args(["--image-pull-timeout", "3s"]).assert();
    run.code(4).stderr(contains("configmap \"order-conf\" not found").and(contains("; did you mean `orders-conf`?")));
    ns.sparkctl().args(["delete", "secret"]).assert().code(0);
    let run = ns.submitter().arg("submit").arg(&secret).args(["--image-pull-timeout", "3s"]).assert();
    run.code(4).stderr(contains("secret \"db-creds\" not found").and(contains("did you mean").not()));
}

fn with_account(ns: &Namespace, name: &str, policy: &Value) -> PathBuf {
    let path = job(ns, name, "true");
    let mut text: Value = serde_json::from_slice(&std::fs::read(&path).expect("a job file")).expect("a job");
    text["spec"]["driver"]["serviceAccount"] = "yippee-sparc".into();
    text["spec"]["restartPolicy"] = policy.clone();
    std::fs::write(&path, text.to_string()).expect("a job file");
    path
}

#[test]
fn lists_the_available_service_accounts_when_one_is_missing() {
    let ns = Namespace::new("account");
    let available = "available: default, yippee-spark; did you mean `yippee-spark`?";
    // The controller creates the namespace's own account a moment later.
    ns.wait_for("the account `default`", || cluster().api.get(&format!("{}/default", ns.core("serviceaccounts"))).ok());
    let once = with_account(&ns, "once", &json!({"type": "Never"}));
    ns.submitter().arg("submit").arg(&once).assert().code(3).stderr(contains(available));
    ns.submitter().args(["submit", "--dry-run"]).arg(&once).assert().code(3).stderr(contains(available));
    let again = with_account(&ns, "again", &json!({"type": "OnFailure", "onFailureRetries": 1}));
    let run = ns.submitter().arg("submit").arg(&again).args(["--image-pull-timeout", "3s"]).assert();
    run.code(4).stderr(contains(available));
}

#[test]
fn a_secret_that_a_volume_needs_is_missed_before_the_kubelet_gives_up() {
    let ns = Namespace::new("no-volume");
    let secret = json!({"secrets": [{"name": "database", "path": "/etc/database", "secretType": "Generic"}]});
    let path = job_with(&ns, "no-volume", "exit 0", &secret);
    // After ten seconds, a failure to mount is reported in any case.
    let run = ns.sparkctl().arg("submit").arg(&path).args(["--timeout", "9s", "--on-timeout", "delete"]).assert();
    run.code(124).stderr(contains("waiting  Volume").and(contains("secret \"database\" not found")));
}

#[test]
fn a_misspelt_priority_class_is_corrected() {
    let ns = Namespace::new("routin");
    let path = job_with(&ns, "routin", "exit 0", &json!({"priorityClassName": "routin"}));
    ns.sparkctl().arg("submit").arg(&path).assert().code(3).stderr(contains("did you mean `routine`?"));
}
