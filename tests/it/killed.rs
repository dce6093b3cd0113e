//! Kills sparkctl at each single request while it submits and follows, and runs it again.

use std::process::Stdio;

use serde_json::Value;

use crate::support::jobs::{drivers, policy_job as job, schedule};
use crate::support::proxy::{Fate, Proxy};
use crate::support::{Namespace, cluster};

#[test]
fn runs_exactly_once_if_killed_at_any_request_and_submitted_again() {
    let carriers =
        [("pods", ""), ("jobs", "  restartPolicy: {type: OnFailure, onFailureRetries: 2}"), ("cronjobs", "")];
    std::thread::scope(|scope| {
        for (carrier, policy) in carriers {
            scope.spawn(move || killed_at_any_request(carrier, policy));
        }
    });
}

fn killed_at_any_request(carrier: &str, policy: &str) {
    let ns = Namespace::new(&format!("killed-{carrier}"));
    let policy = format!("{policy}\n  batchScheduler: volcano");
    let mut most_changes = 0;
    for at in 0.. {
        let mut reached = false;
        for fate in [Fate::Killed, Fate::KilledAfter] {
            // A request that changes nothing leaves everything as it was.
            let proxy = Proxy::start(move |request| {
                match request.number == at && (fate == Fate::Killed || request.change.is_some()) {
                    true => fate,
                    false => Fate::Passed,
                }
            });
            let name = format!("once-{at}-{}", if fate == Fate::Killed { "before" } else { "after" });
            let path = match carrier {
                "cronjobs" => schedule(&ns, &name, "  schedule: 0 0 1 1 *", &policy, "exit 0"),
                _ => job(&ns, &name, &policy, "exit 0"),
            };
            let key = ["--run-key", "k"];
            let mut command = ns.command();
            command.env("KUBECONFIG", proxy.kubeconfig(&ns)).arg("submit").arg(&path).args(key);
            let first = proxy.run(command.stdout(Stdio::null()).stderr(Stdio::null()));
            reached |= first.status.code().is_none();
            most_changes = most_changes.max(first.changes);
            ns.sparkctl().arg("submit").arg(&path).args(key).arg("--detach").assert().code(0);

            let path = match carrier {
                "pods" => ns.core("pods"),
                plural => ns.group("batch/v1", plural),
            };
            let its = |item: &Value| item["metadata"]["labels"]["sparkoperator.k8s.io/app-name"] == name.as_str();
            let carriers: Vec<Value> = cluster().api.items(&path).into_iter().filter(its).collect();
            let description = format!("{carrier} {name}");
            assert_eq!(carriers.len(), 1, "{description}");
            assert_ne!(carriers[0]["spec"]["suspend"], true, "{description}");
            // The Job controller may be busy.
            let expected = usize::from(carrier != "cronjobs");
            ns.wait_for("its driver", || {
                let ran = drivers(&ns).iter().filter(|pod| its(pod)).count();
                assert!(ran <= expected, "{description}");
                (ran == expected).then_some(())
            });
            ns.sparkctl().args(["delete", &name]).assert().code(0);
            // Nothing was killed: the request only reads, or there is none with this number.
            if first.status.code().is_some() {
                break;
            }
        }
        if !reached {
            // A schedule is not followed. The validation of an executor is neither reading nor change.
            let reads = at - most_changes - 1;
            assert_eq!(
                reads > 0,
                carrier != "cronjobs",
                "{carrier}: {at} requests, {most_changes} that change something"
            );
            break;
        }
    }
    // The carrier, three companions, the release.
    assert_eq!(most_changes, 5, "requests of a submission that change something");
    ns.wait_for("nothing", || ns.left().is_empty().then_some(()));
}
