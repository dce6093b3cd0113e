//! The requests of a submission, their order, and what is undone after a refusal.

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};

use crate::support::proxy::{Fate, Proxy};
use crate::support::{Namespace, cluster, text};

/// Requests of sparkctl in the namespace, as `VERB resource`; `validate resource` for a dry run.
fn requests(ns: &Namespace) -> Vec<(String, Value)> {
    let by_sparkctl = |event: &Value| event["userAgent"].as_str().is_some_and(|agent| agent.starts_with("sparkctl/"));
    let with_verb = |event: Value| {
        let object = &event["objectRef"];
        let is_dry_run = event["requestURI"].as_str().is_some_and(|uri| uri.contains("dryRun=All"));
        let verb = if is_dry_run { "validate".into() } else { text(&event["verb"]) };
        let request = format!("{verb} {}", text(&object["resource"]));
        (request, event)
    };
    cluster().audit(&ns.name).into_iter().filter(by_sparkctl).map(with_verb).collect()
}

#[test]
fn creates_the_driver_on_hold_then_its_companions_then_releases_it() {
    let ns = Namespace::new("order");
    let mut command = ns.sparkctl();
    command.args(["submit", "examples/python-pi.yaml", "--scheduler", "volcano", "--detach"]);
    command.assert().code(0).stdout("python-pi\n");
    // One executor is validated beside the creation of the driver.
    let (validated, requests): (Vec<_>, Vec<_>) =
        requests(&ns).into_iter().partition(|(request, _)| request == "validate pods");
    assert_eq!(validated.len(), 1);
    assert_eq!(validated[0].1["requestObject"]["metadata"]["labels"]["spark-role"], "executor");
    let mut sent: Vec<&str> = requests.iter().map(|(request, _)| request.as_str()).collect();
    let last = sent.len() - 1;
    sent[1..last].sort_unstable();
    // The driver, three companions created with their owner, the release: nothing else.
    let expected = ["create pods", "create configmaps", "create podgroups", "create services"];
    assert_eq!(sent[..last], expected);
    assert_eq!(sent[last], "patch pods");

    let driver = &requests[0].1;
    assert_eq!(driver["requestObject"]["spec"]["schedulingGates"], json!([{"name": "sparkctl.dev/companions"}]));
    let uid = &ns.driver()["metadata"]["uid"];
    for (request, event) in &requests[1..last] {
        assert_eq!(&event["requestObject"]["metadata"]["ownerReferences"][0]["uid"], uid, "{request}");
    }
}

#[test]
fn render_prints_what_submit_sends() {
    let ns = Namespace::new("render");
    let job = ["examples/python-pi.yaml", "--id", "0123456789abcdef0123456789abcdef"];
    let rendered =
        ns.sparkctl().arg("render").args(job).args(["-o", "json"]).assert().code(0).get_output().stdout.clone();
    let mut rendered: Vec<Value> =
        String::from_utf8(rendered).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();

    ns.sparkctl().arg("submit").args(job).arg("--detach").assert().code(0);
    let creations = requests(&ns).into_iter().filter(|(request, _)| request.starts_with("create"));
    let mut sent: Vec<Value> = creations.map(|(_, mut event)| event["requestObject"].take()).collect();
    for objects in [&mut rendered, &mut sent] {
        objects.sort_by_key(|object| format!("{} {}", object["kind"], object["metadata"]["name"]));
    }
    assert_eq!(rendered.len(), sent.len());
    for (rendered, sent) in rendered.iter().zip(&sent) {
        holds(sent, rendered, rendered["kind"].as_str().unwrap());
    }
}

/// Checks that `whole` contains `part`: the audit log has objects as the server decoded them, with its defaults.
fn holds(whole: &Value, part: &Value, path: &str) {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            for (key, value) in part {
                holds(whole.get(key).unwrap_or(&Value::Null), value, &format!("{path}.{key}"));
            }
        }
        (Value::Array(whole), Value::Array(part)) if whole.len() == part.len() => {
            whole
                .iter()
                .zip(part)
                .enumerate()
                .for_each(|(at, (whole, part))| holds(whole, part, &format!("{path}.{at}")));
        }
        // The server leaves out empty strings and objects.
        (Value::Null, part) if *part == json!("") || *part == json!({}) => {}
        _ => assert_eq!(whole, part, "{path}"),
    }
}

/// The carrier is compared as it is, the others without their owner, whose UID only the cluster knows.
#[test]
fn render_prints_the_exact_bytes_that_submit_sends() {
    let ns = Namespace::new("byte");
    let job = ["examples/python-pi.yaml", "--scheduler", "volcano", "--id", "0123456789abcdef0123456789abcdef"];
    let rendered = ns.sparkctl().arg("render").args(job).args(["-o", "json"]).output().expect("sparkctl render");
    let rendered = String::from_utf8(rendered.stdout).expect("JSON");
    let mut rendered: Vec<String> = rendered.lines().map(str::to_owned).collect();

    let bodies = Arc::new(Mutex::new(Vec::new()));
    let recorded = bodies.clone();
    let proxy = Proxy::start(move |request| {
        if request.change.is_some() && request.path.contains("?fieldManager=sparkctl&fieldValidation=Strict") {
            recorded.lock().expect("a lock").push(String::from_utf8_lossy(request.body).into_owned());
        }
        Fate::Passed
    });
    let mut command = ns.command();
    command.env("KUBECONFIG", proxy.kubeconfig(&ns)).args(["submit", "--detach"]).args(job);
    assert_eq!(proxy.run(command.stdout(Stdio::null())).status.code(), Some(0));
    let sent = bodies.lock().expect("a lock").clone();
    assert_eq!(sent[0], rendered[0]);
    let without_owner = |body: &String| {
        let mut object: Value = serde_json::from_str(body).expect("JSON");
        let metadata = object["metadata"].as_object_mut().expect("metadata");
        metadata.shift_remove("ownerReferences").expect("an owner");
        object.to_string()
    };
    let mut others: Vec<String> = sent[1..].iter().map(without_owner).collect();
    rendered.remove(0);
    rendered.sort();
    others.sort();
    assert_eq!(others, rendered);
}

/// Volcano 1.11 and older refuse a pod whose PodGroup does not exist: it is created first, and adopted later.
#[test]
fn creates_the_pod_group_first_for_an_older_volcano() {
    let ns = Namespace::new("older");
    const REFUSAL: &str =
        "admission webhook \"validatepod.volcano.sh\" denied the request: failed to get PodGroup for pod";
    let changes = Arc::new(Mutex::new(Vec::new()));
    let recorded = changes.clone();
    let proxy = Proxy::start(move |request| {
        let Some(change) = request.change else { return Fate::Passed };
        let place = request.path.split('?').next().unwrap_or_default();
        recorded.lock().expect("a lock").push(place.rsplit('/').next().unwrap_or_default().to_owned());
        if change == 0 { Fate::Refused(REFUSAL) } else { Fate::Passed }
    });
    let mut command = ns.command();
    command.env("KUBECONFIG", proxy.kubeconfig(&ns)).args(["submit", "--detach", "examples/python-pi.yaml"]);
    let ended =
        proxy.run(command.args(["--scheduler", "volcano", "--driver-node", "type=quantum"]).stdout(Stdio::null()));
    assert_eq!(ended.status.code(), Some(0));
    let groups = cluster().api.items(&ns.group("scheduling.volcano.sh/v1beta1", "podgroups"));
    let [group] = groups.as_slice() else { panic!("one PodGroup, not {groups:#?}") };
    assert_eq!(group["metadata"]["ownerReferences"][0]["uid"], ns.driver()["metadata"]["uid"]);
    let changes = changes.lock().expect("a lock").clone();
    assert_eq!(changes[..4], ["pods", "podgroups", "pods", &text(&group["metadata"]["name"])]);
    assert_eq!(changes.last().map(String::as_str), Some("python-pi-driver"));

    ns.sparkctl().args(["delete", "python-pi"]).assert().code(0);
    ns.wait_for("nothing left", || ns.left().is_empty().then_some(()));
}

#[test]
fn reports_a_missing_right_without_doubt_about_leftovers() {
    let ns = Namespace::new("stranger");
    let mut command = ns.sparkctl();
    command.env("KUBECONFIG", cluster().variable("SUBMITTER_KUBECONFIG"));
    let refused = contains("User \"submitter\" cannot create resource").and(contains("sparkctl setup"));
    let run = command.args(["submit", "examples/pyspark-pi.yaml"]).assert().code(3);
    run.stderr(refused.and(contains("may have been created").not()));
}

#[test]
fn a_refused_companion_undoes_the_submission() {
    let ns = Namespace::new("refused");
    ns.add_quota("no-services", &json!({"count/services": "0"}));
    let run = ns.sparkctl().args(["submit", "examples/python-pi.yaml"]).assert();
    run.code(3).stderr(
        contains("exceeded quota: no-services")
            .and(contains("deleted driver pod python-pi-driver and everything it owned"))
            .and(contains("kubectl describe quota")),
    );
    ns.wait_for("nothing left", || ns.left().is_empty().then_some(()));
}

#[test]
fn a_name_that_is_taken_exits_3_and_keeps_its_owner() {
    let ns = Namespace::new("taken");
    ns.sparkctl().args(["submit", "examples/python-pi.yaml", "--detach"]).assert().code(0);
    let before = ns.left();
    let again = ns.sparkctl().args(["submit", "examples/python-pi.yaml", "--detach"]).assert();
    again.code(3).stderr(contains("already exists").and(contains("sparkctl delete python-pi")));
    assert_eq!(ns.left(), before);
    ns.sparkctl().args(["delete", "python-pi"]).assert().code(0);
    ns.wait_for("nothing left", || ns.left().is_empty().then_some(()));
}

#[test]
fn a_missing_service_account_exits_3() {
    let ns = Namespace::new("no-account");
    let mut command = ns.sparkctl();
    command.args(["submit", "examples/python-pi.yaml", "--service-account", "nobody"]);
    command.assert().code(3).stderr(contains("service account").and(contains("nobody")));
    assert!(ns.left().is_empty(), "{:?}", ns.left());
}

#[test]
fn an_unreachable_api_server_exits_6() {
    let kubeconfig = std::env::temp_dir().join(format!("sparkctl-nowhere-{}", std::process::id()));
    let nowhere = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "nowhere",
        "contexts": [{"name": "nowhere", "context": {"cluster": "nowhere", "user": "nobody"}}],
        "clusters": [{"name": "nowhere", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "nobody", "user": {}}],
    });
    std::fs::write(&kubeconfig, nowhere.to_string()).unwrap();
    let mut command = assert_cmd::Command::from_std(crate::support::sparkctl());
    command.env("KUBECONFIG", &kubeconfig).args(["submit", "examples/python-pi.yaml"]);
    command.assert().code(6).stderr(contains("creating driver pod python-pi-driver: no answer from the API server"));
    std::fs::remove_file(&kubeconfig).unwrap();
}

#[test]
fn a_kubectl_plugin_names_the_next_steps_as_kubectl_commands() {
    let ns = Namespace::new("plugin");
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = folder.path().join("kubectl-spark");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_sparkctl"), &plugin).expect("a link");
    let mut command = assert_cmd::Command::new(&plugin);
    command.env("KUBECONFIG", &cluster().kubeconfig).env("SPARKCTL_NAMESPACE", &ns.name);
    let run = command.args(["submit", "examples/python-pi.yaml", "--detach"]).assert();
    run.code(0).stderr(contains("kubectl spark attach python-pi -n").and(contains("sparkctl attach").not()));
    let again = command.assert().code(3);
    again.stderr(contains("Delete it: kubectl spark delete python-pi -n").and(contains("sparkctl delete").not()));
}
