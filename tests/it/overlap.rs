//! Runs of one name that must not overlap, from whichever host they are submitted.

use std::io::Read;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use predicates::str::contains;
use serde_json::{Value, json};

use crate::support::jobs::{drivers, policy_job as job};
use crate::support::proxy::{Fate, Proxy};
use crate::support::{Namespace, cluster, text};

#[test]
fn overlap_policies_let_one_run_at_a_time() {
    let ns = Namespace::new("overlap");
    // It runs until it is called.
    let path = job(&ns, "hourly", "", "trap 'exit 143' TERM; nc -l -p 9999 >/dev/null & wait");
    let submit = |more: &[&str]| {
        let mut command = ns.command();
        command.arg("submit").arg(&path).args(more).stderr(Stdio::piped()).stdout(Stdio::null());
        command.spawn().expect("sparkctl")
    };
    let running = |is_wanted: &dyn Fn(&str) -> bool| {
        let running = drivers(&ns).into_iter().filter(|pod| pod["status"]["phase"] == "Running");
        running.map(|pod| text(&pod["metadata"]["name"])).find(|name| is_wanted(name))
    };
    let mut hosts = [submit(&["--overlap", "forbid"]), submit(&["--overlap", "forbid"])];
    ns.wait_for("the end of one", || {
        hosts.iter_mut().any(|host| host.try_wait().expect("its state").is_some()).then_some(())
    });
    ns.call(&ns.wait_for("the driver of the other", || running(&|_| true)));
    let mut codes = hosts.map(|host| host.wait_with_output().expect("its end").status.code());
    codes.sort_unstable();
    assert_eq!(codes, [Some(0), Some(9)]);

    // An ended run does not block another one, an active run does.
    let mut submitter = ns.submitter();
    submitter.arg("submit").arg(&path).args(["--overlap", "forbid", "--detach"]).assert().code(0);
    let skipped = ns.sparkctl().arg("submit").arg(&path).args(["--overlap", "forbid", "--skip-ok"]).assert().code(0);
    skipped.stderr(contains("hourly is skipped: an earlier run is still active (driver pod hourly-"));
    ns.sparkctl().arg("submit").arg(&path).args(["--overlap", "queue", "--queue-timeout", "1s"]).assert().code(9);
    let second = ns.wait_for("the second driver", || running(&|_| true));
    let replacing = submit(&["--overlap", "replace", "--keep", "on-failure"]);
    ns.call(&ns.wait_for("the third driver", || running(&|name| name != second)));
    let replaced = replacing.wait_with_output().expect("its end");
    let messages = String::from_utf8_lossy(&replaced.stderr);
    assert_eq!(replaced.status.code(), Some(0), "{messages}");
    assert!(messages.contains("hourly: replacing an earlier run") && messages.contains("(--keep)"), "{messages}");
    // The first is kept, the second was replaced, the third is not kept.
    ns.wait_for("the first one alone", || (drivers(&ns).len() == 1).then_some(()));
}

/// Slow: a Lease is renewed every 15 s.
#[test]
fn renews_the_lease_during_a_submission_and_releases_nothing_without_it() {
    let ns = Namespace::new("turn");
    let path = job(&ns, "slow", "", "exit 0");
    let submitted = Arc::new(AtomicBool::new(false));
    // The creation of the Service hangs.
    let proxy = Proxy::start({
        let submitted = submitted.clone();
        move |request| match request.change.is_some() && request.path.contains("/services") {
            true => {
                submitted.store(true, Ordering::SeqCst);
                Fate::Held
            }
            false => Fate::Passed,
        }
    });
    let (mut stderr_reader, stderr) = std::io::pipe().expect("a pipe");
    let mut command = ns.command();
    command.env("KUBECONFIG", proxy.kubeconfig(&ns)).arg("submit").arg(&path).args(["--overlap", "forbid"]);
    command.stdout(Stdio::null()).stderr(stderr);
    let first = std::thread::spawn(move || proxy.run(&mut command).status.code());

    let leases = ns.group("coordination.k8s.io/v1", "leases");
    let lease = || cluster().api.items(&leases).pop();
    let begun = ns.wait_for("a submission under way", || lease().filter(|_| submitted.load(Ordering::SeqCst)));
    let renewed = ns.wait_for("the Lease renewed", || {
        lease().filter(|lease| lease["spec"]["renewTime"] != begun["spec"]["renewTime"])
    });
    assert_eq!(renewed["metadata"]["uid"], begun["metadata"]["uid"]);
    // Another host takes over the Lease, as after too long a pause of this one.
    let name = text(&begun["metadata"]["name"]);
    cluster().api.delete(&format!("{leases}/{name}")).expect("deleting the Lease");
    let other: Value = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name},
        "spec": {"holderIdentity": "other", "leaseDurationSeconds": 60, "renewTime": renewed["spec"]["renewTime"]},
    });
    cluster().api.create(&leases, &other).expect("another's Lease");
    assert_eq!(first.join().expect("its end"), Some(3));
    let mut messages = String::new();
    stderr_reader.read_to_string(&mut messages).expect("its messages");
    assert!(messages.contains("renewing Lease slow-sparkctl, without which another run may start"), "{messages}");
    assert!(messages.contains("deleted driver pod slow-"), "{messages}");
    ns.wait_for("nothing", || ns.left().is_empty().then_some(()));
    assert_eq!(lease().expect("another's Lease")["spec"]["holderIdentity"], "other");
}
