//! Whether a run may begin while earlier ones of the same name go on, decided for all hosts alike.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::find::{encoded, list};
use super::request::Call;
use super::{Cluster, Failure, Refusal, kinds};
use crate::kubernetes::names;
use crate::manifests::Application;
use crate::spark::resource_name_prefix;
use crate::state::{Limits, Observed, PATIENCE, State, Status};

/// Who holds the Lease for longer and does not renew it is dead.
const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// How often it is renewed while a submission is under way, and after a renewal that was not answered.
const RENEWAL: Duration = Duration::from_secs(15);
const ANEW: Duration = Duration::from_secs(3);
/// After so long without a renewal the turn is given up: what is left of the Lease is for ending what is under way,
/// so that it has ended when another one's turn comes.
const GIVEN_UP: Duration = Duration::from_secs(40);
/// How long one waits before asking again for the Lease.
const ASK: Duration = Duration::from_millis(300);
/// A submission that has not released its driver for so long was killed.
const HELD: SignedDuration = SignedDuration::from_secs(300);

/// The right to decide on runs of one name: a Lease that one submitter has at a time. Let go by
/// [`Lease::end`]; what a killed submitter leaves runs out.
pub struct Lease {
    cluster: Cluster,
    name: String,
    path: String,
    lease: Value,
    /// Not later than the Lease's own time.
    renewed: Instant,
}

impl Lease {
    /// Waits for the turn of this application.
    ///
    /// # Errors
    /// Leases may not be had, or the API server cannot be reached.
    pub async fn of(cluster: &Cluster, application: &Application) -> Result<Lease, Refusal> {
        let namespace = &application.namespace;
        let leases = kinds::in_namespace("coordination.k8s.io/v1", "leases", namespace);
        let name = names::cut(&resource_name_prefix(&application.name), "-sparkctl", names::LABEL);
        let path = format!("{leases}/{}", encoded(&name));
        let doing = format!("waiting for Lease {name}");
        let refusal = |failure| Refusal::new(doing.as_str(), failure, namespace);
        let turn =
            |lease, renewed| Lease { cluster: cluster.clone(), name: name.clone(), path: path.clone(), lease, renewed };
        loop {
            let now = cluster.now().to_string();
            let asked = Instant::now();
            let lease = json!({
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "sparkctl"}},
                "spec": {
                    "holderIdentity": application.id,
                    "leaseDurationSeconds": LEASE.as_secs(),
                    "acquireTime": micro(&now),
                    "renewTime": micro(&now),
                },
            });
            let answer = cluster.send_until_answered(&doing, &Call::post(leases.clone(), &lease)).await;
            match answer.result {
                // A request that was sent again may have been taken the first time, long ago.
                Ok(lease) if !answer.repeated => return Ok(turn(lease, asked)),
                Ok(_) => {}
                Err(failure) if failure.already_exists() => {}
                Err(failure) => return Err(refusal(failure)),
            }
            match cluster.send_until_answered(&doing, &Call::get(path.clone())).await.result {
                // The request whose answer was lost made it.
                Ok(lease) if lease["spec"]["holderIdentity"] == application.id.as_str() => {
                    let renewed = Instant::now();
                    let turn = turn(lease, renewed);
                    match turn.renew().await {
                        Ok(()) => return Ok(turn),
                        Err(failure) if matches!(failure.code(), 404 | 409) || failure.may_pass() => {}
                        Err(failure) => return Err(refusal(failure)),
                    }
                }
                Ok(lease) if has_run_out(&lease, cluster.now()) => {
                    match take_away(cluster, &doing, &path, &lease).await {
                        // Somebody was faster, or its holder lives.
                        Err(failure) if !matches!(failure.code(), 404 | 409) => return Err(refusal(failure)),
                        _ => continue,
                    }
                }
                Ok(_) => {}
                Err(failure) if failure.code() == 404 => continue,
                Err(failure) => return Err(refusal(failure)),
            }
            tokio::time::sleep(ASK).await;
        }
    }

    /// Renews the Lease for as long as this is waited for. Ends when the turn is lost, with the reason: it was taken,
    /// or could not be renewed in time.
    pub async fn lost(&self) -> Refusal {
        let mut renewed = self.renewed;
        let mut pause = RENEWAL;
        loop {
            tokio::time::sleep_until((Instant::now() + pause).min(renewed + GIVEN_UP)).await;
            let asked = Instant::now();
            let failure = match tokio::time::timeout_at(renewed + GIVEN_UP, self.renew()).await {
                Ok(Ok(())) => {
                    (renewed, pause) = (asked, RENEWAL);
                    continue;
                }
                Ok(Err(failure)) => failure,
                Err(_) => Failure::NoAnswer(format!("not renewed for {} s", GIVEN_UP.as_secs())),
            };
            if !failure.may_pass() || renewed.elapsed() >= GIVEN_UP {
                return Refusal::of(
                    format!("keeping Lease {}, without which another run may begin", self.name),
                    failure,
                );
            }
            pause = ANEW;
        }
    }

    /// Only the very Lease that was had: another's has another uid.
    async fn renew(&self) -> Result<(), Failure> {
        let renewed = micro(&self.cluster.now().to_string());
        let body = json!({"metadata": {"uid": self.lease["metadata"]["uid"]}, "spec": {"renewTime": renewed}});
        let call = Call::patch(self.path.clone(), "application/merge-patch+json", &body);
        self.cluster.send(&call).await.map(drop).map_err(|(failure, _)| failure)
    }

    /// Lets the next one decide. Where that fails, it has to wait for the Lease to run out.
    pub async fn end(self) -> Option<Failure> {
        self.cluster.delete_object("ending the turn", &self.path, &self.lease).await.err()
    }
}

/// Deletes a Lease that has run out, as it was read: its holder may be renewing it at this moment.
async fn take_away(cluster: &Cluster, doing: &str, path: &str, lease: &Value) -> Result<(), Failure> {
    let seen = &lease["metadata"];
    let options = json!({
        "kind": "DeleteOptions",
        "apiVersion": "v1",
        "preconditions": {"uid": seen["uid"], "resourceVersion": seen["resourceVersion"]},
    });
    cluster.send_until_answered(doing, &Call::delete(path.to_owned(), &options)).await.result.map(drop)
}

/// As Kubernetes writes times to the microsecond.
fn micro(time: &str) -> String {
    let (whole, _) = time.split_once(['.', 'Z']).unwrap_or((time, ""));
    format!("{whole}.000000Z")
}

fn has_run_out(lease: &Value, now: Timestamp) -> bool {
    let renewed = lease["spec"]["renewTime"].as_str().and_then(|time| time.parse::<Timestamp>().ok());
    renewed.is_none_or(|renewed| now.duration_since(renewed) > LEASE)
}

/// The earlier runs of that name that have not ended. A run that is submitted again is not its own
/// predecessor, and a submission that was killed long ago does not run.
///
/// # Errors
/// Pods cannot be listed.
pub async fn active(cluster: &Cluster, application: &Application) -> Result<Vec<Application>, Refusal> {
    let place = Cluster { namespace: application.namespace.clone(), ..cluster.clone() };
    let label = names::cut(&application.name, "", names::LABEL);
    let terms = Limits { now: cluster.now(), patience: PATIENCE, start_timeout: None };
    let all = list(&place, None).await?.into_iter();
    let others = all.filter(|(other, _)| other.name == label && other.id != application.id);
    Ok(others.filter(|(_, observed)| is_active(observed, &terms)).map(|(other, _)| other).collect())
}

fn is_active(observed: &Observed, terms: &Limits) -> bool {
    let age = observed.created().map(|created| terms.now.duration_since(created));
    match State::of(observed, terms).what {
        // A Job that is deleted is gone before its driver is.
        Status::Ended(_) => observed.job_is_gone && observed.driver.as_ref().is_some_and(may_run),
        Status::Held => age.is_some_and(|age| age < HELD),
        _ => true,
    }
}

fn may_run(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    !matches!(phase, Some("Succeeded" | "Failed"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{has_run_out, micro};

    #[test]
    fn a_lease_of_a_dead_submitter_runs_out() {
        let lease = json!({"spec": {"renewTime": micro("2026-11-24T04:00:00.123456789Z")}});
        assert_eq!(lease["spec"]["renewTime"], "2026-11-24T04:00:00.000000Z");
        assert!(!has_run_out(&lease, "2026-11-24T04:00:59Z".parse().unwrap()));
        assert!(has_run_out(&lease, "2026-11-24T04:01:01Z".parse().unwrap()));
        assert!(has_run_out(&json!({}), "2026-11-24T04:01:01Z".parse().unwrap()));
    }
}
