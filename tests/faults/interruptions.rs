//! Interruptions while an application is followed: an API server that restarts, credentials that expire, and a user who
//! interrupts twice while the connection is dead.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::support::faulty_proxy::{Deed, Fault, Moment, Proxy, Script};
use crate::support::jobs::{file, job};
use crate::support::running::{Ended, Running};
use crate::support::{Namespace, changed_kubeconfig, cluster, signal, text};
use crate::{alone, client};

/// Prints numbered lines until it is called (see `Namespace::call`), and fails.
const COUNTING: &str = "(nc -l -p 9999 >/dev/null; touch /dev/shm/called) & i=0; \
    while [ ! -e /dev/shm/called ]; do i=$((i + 1)); echo line $i; sleep 0.2; done; echo the end; exit 3";

/// Checks that a log of [`COUNTING`] is complete: each line once and in order.
fn assert_whole(log: &[String]) {
    let (end, lines) = log.split_last().expect("a log");
    assert_eq!(end, "the end");
    for (line, number) in lines.iter().zip(1..) {
        assert_eq!(*line, format!("line {number}"), "{log:#?}");
    }
}

#[test]
fn reconnects_when_the_api_server_restarts() {
    let _alone = alone();
    let ns = Namespace::new("restart");
    let job = job(&ns, "restart", COUNTING);
    let mut followed = Running::start(ns.command().arg("submit").arg(job).arg("--logs"));
    followed.read_lines(5);
    cluster().control(&["restart", "kube-apiserver"]);
    // Lines written during the restart, and since.
    followed.read_lines(50);
    ns.call("restart-driver");
    let Ended { code, stdout: log, stderr: messages } = followed.end();
    eprintln!("{} lines of the log\n{messages}", log.len());
    assert_whole(&log);
    assert_eq!(code, Some(1));
    assert!(messages.contains("restart failed: the driver exited with code 3"), "{messages}");
    // If the server is back before the next request, nothing is reported.
    assert!(messages.matches("lost the pod watch").count() <= 1, "{messages}");
}

/// Creates a token for the namespace's user that is valid as long as a Secret exists.
fn token(ns: &Namespace, secret: &str) -> String {
    let api = &cluster().api;
    let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret}});
    let uid = api.create(&ns.core("secrets"), &object).expect("a secret")["metadata"]["uid"].clone();
    let request = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": {"boundObjectRef": {"apiVersion": "v1", "kind": "Secret", "name": secret, "uid": uid}},
    });
    let path = format!("{}/follower/token", ns.core("serviceaccounts"));
    text(&api.create(&path, &request).expect("a token")["status"]["token"])
}

/// The tests' kubeconfig for another user.
fn kubeconfig(ns: &Namespace, name: &str, user: &Value) -> PathBuf {
    changed_kubeconfig(ns, name, |config| {
        for known in config["users"].as_array_mut().expect("users") {
            known["user"] = user.clone();
        }
    })
}

/// Follows an application while its credentials are revoked and a file with new ones takes their place.
fn follow_with(name: &str, user: impl Fn(&Path) -> Value) {
    let ns = Namespace::new(name);
    let api = &cluster().api;
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "follower"}});
    api.create(&ns.core("serviceaccounts"), &account).expect("a service account");
    api.apply_file("k8s/submitter-rbac.yaml", Some(&ns.name));
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "follower"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "spark-submitter"},
        "subjects": [{"kind": "ServiceAccount", "name": "follower", "namespace": ns.name}],
    });
    api.apply(&binding, Some(&ns.name));
    let (old, new) = (token(&ns, "old"), token(&ns, "new"));
    let given = file(&ns, "token");
    std::fs::write(&given, &old).expect("a token's file");
    let config = kubeconfig(&ns, "new", &user(&given));
    let job = job(&ns, name, COUNTING);
    let mut command = ns.command();
    command.env("KUBECONFIG", config).arg("submit").arg(job).args(["--logs", "--watch-timeout", "2s"]);
    let mut followed = Running::start(&command);
    followed.read_lines(5);
    // Replaced in one step: it may be read at any moment.
    let next = file(&ns, "token.next");
    std::fs::write(&next, new).expect("another token");
    std::fs::rename(&next, &given).expect("the other token in place");
    api.delete(&format!("{}/old", ns.core("secrets"))).expect("an end of the old one");
    let old = kubeconfig(&ns, "old", &json!({"token": old}));
    ns.wait_for("a refusal of the old token", || {
        let list = ns.command().env("KUBECONFIG", &old).arg("list").output().ok()?;
        (list.status.code() == Some(3)).then_some(())
    });
    // These take the driver ten seconds, so the watches of two seconds will have ended.
    followed.read_available();
    followed.read_lines(50);
    ns.call(&format!("{name}-driver"));
    let Ended { code, stdout: log, stderr: messages } = followed.end();
    eprintln!("{} lines of the log\n{messages}", log.len());
    assert_whole(&log);
    assert_eq!(code, Some(1), "{messages}");
    assert!(messages.contains("the driver exited with code 3"), "{messages}");
    assert!(!messages.contains("nauthorized"), "{messages}");
}

#[test]
fn reloads_a_token_file() {
    let _alone = alone();
    follow_with("token-file", |token| json!({"tokenFile": token}));
}

#[test]
fn runs_a_credential_plugin_again() {
    let _alone = alone();
    let credential =
        r#"{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}"#;
    follow_with("plugin", |token| {
        let print = format!("printf '{credential}' \"$(cat {})\"", token.display());
        json!({"exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never",
            "command": "/bin/sh", "args": ["-c", print],
        }})
    });
}

#[test]
fn a_second_signal_exits_at_once() {
    let _alone = alone();
    let ns = Namespace::new("impatient");
    let runtime = Runtime::new().expect("a runtime");
    // From the driver's start on, no answer arrives, for longer than this test takes.
    let script =
        Script { fault: Fault::Silent, moment: Moment::Running, lasts: Duration::from_secs(3600), deed: Deed::Nothing };
    let proxy = runtime.block_on(Proxy::start(client(&runtime), script));
    let job = job(&ns, "impatient", "sleep 1000");
    let mut command = ns.command();
    command.env("KUBECONFIG", proxy.kubeconfig(Path::new(env!("CARGO_TARGET_TMPDIR"))));
    command.arg("submit").arg(job).args(["--on-interrupt", "delete"]);
    let mut followed = Running::start(&command);
    ns.wait_for("the silence", || proxy.has_begun().then_some(()));
    let driver = format!("{}/impatient-driver", ns.core("pods"));
    let before = proxy.requests_for(&driver);
    signal(&followed.process, Signal::INT);
    // It tries to delete the driver, for some minutes if it is not interrupted again.
    ns.wait_for("the first request for the deletion", || {
        let ended = followed.process.try_wait().expect("its status");
        assert!(ended.is_none(), "it ended before: {ended:?}");
        (proxy.requests_for(&driver) > before).then_some(())
    });
    signal(&followed.process, Signal::INT);
    let status = ns.wait_for("its end", || followed.process.try_wait().expect("its status"));
    assert_eq!(status.code(), Some(130));
}
