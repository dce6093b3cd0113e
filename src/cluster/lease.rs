//! The Lease that makes submissions of one name take turns, whatever host they come from, and the runs of that name.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::connect::Cluster;
use super::error::{Failure, Refusal};
use super::find::list;
use super::paths::{self, encoded};
use super::request::Call;
use crate::kubernetes::names;
use crate::manifests::Application;
use crate::spark::resource_name_prefix;
use crate::state::{Limits, Observed, State, Status};

/// A Lease that has not been renewed for this long has expired: its holder is dead.
const LEASE_DURATION: SignedDuration = SignedDuration::from_secs(60);
/// How often the Lease is renewed while a submission is under way: a few times before it expires.
const RENEWAL: Duration = Duration::from_secs(15);
/// How soon a renewal is retried that was not answered.
const RENEWAL_RETRY: Duration = Duration::from_secs(3);
/// Without a renewal for this long, the Lease counts as lost. The rest of its duration is for undoing the submission,
/// which must be done before another holder acquires the Lease.
const RENEWAL_DEADLINE: Duration = Duration::from_secs(40);
/// How often to try to acquire a Lease that somebody else holds: short, because a submission takes about a second.
const ACQUIRE_INTERVAL: Duration = Duration::from_millis(300);
/// A submission that has not released its driver for this long was killed.
const HELD: SignedDuration = SignedDuration::from_secs(300);

/// The right to start a run of one name: a Lease that one submitter holds at a time. [`Lease::release`] gives it up; that
/// of a killed submitter expires.
pub struct Lease {
    cluster: Cluster,
    name: String,
    path: String,
    lease: Value,
    /// When it was last renewed, by this machine's clock: never later than the Lease's `renewTime`.
    renewed: Instant,
}

impl Lease {
    /// Acquires the Lease for an application's name; waits while somebody else holds it.
    ///
    /// # Errors
    /// Leases may not be created, or the API server cannot be reached.
    pub async fn acquire(cluster: &Cluster, application: &Application) -> Result<Lease, Refusal> {
        let namespace = &application.namespace;
        let leases = paths::in_namespace("coordination.k8s.io/v1", "leases", namespace);
        let name = names::cut(&resource_name_prefix(&application.name), "-sparkctl", names::LABEL);
        let path = format!("{leases}/{}", encoded(&name));
        let doing = format!("waiting for Lease {name}");
        let refusal = |failure| Refusal::new(doing.as_str(), failure, namespace);
        let held =
            |lease, renewed| Lease { cluster: cluster.clone(), name: name.clone(), path: path.clone(), lease, renewed };
        loop {
            let now = cluster.now().to_string();
            let sent = Instant::now();
            let lease = json!({
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "sparkctl"}},
                "spec": {
                    "holderIdentity": application.id,
                    "leaseDurationSeconds": LEASE_DURATION.as_secs(),
                    "acquireTime": micro(&now),
                    "renewTime": micro(&now),
                },
            });
            let answer = cluster.send_until_answered(&doing, &Call::post(leases.clone(), &lease)).await;
            match answer.result {
                // Only a first request has this `renewTime`: of a repeated one, an earlier attempt may have created it.
                Ok(lease) if !answer.repeated => return Ok(held(lease, sent)),
                Ok(_) => {}
                Err(failure) if failure.already_exists() => {}
                Err(failure) => return Err(refusal(failure)),
            }
            match cluster.send_until_answered(&doing, &Call::get(path.clone())).await.result {
                // A request whose answer was lost created it.
                Ok(lease) if lease["spec"]["holderIdentity"] == application.id.as_str() => {
                    let renewed = Instant::now();
                    let held = held(lease, renewed);
                    match held.renew().await {
                        Ok(()) => return Ok(held),
                        Err(failure) if matches!(failure.code(), 404 | 409) || failure.may_pass() => {}
                        Err(failure) => return Err(refusal(failure)),
                    }
                }
                Ok(lease) if has_expired(&lease, cluster.now()) => {
                    match delete_expired(cluster, &doing, &path, &lease).await {
                        // Somebody else deleted it, or its holder renewed it.
                        Err(failure) if !matches!(failure.code(), 404 | 409) => return Err(refusal(failure)),
                        _ => continue,
                    }
                }
                Ok(_) => {}
                Err(failure) if failure.code() == 404 => continue,
                Err(failure) => return Err(refusal(failure)),
            }
            tokio::time::sleep(ACQUIRE_INTERVAL).await;
        }
    }

    /// Keeps renewing the Lease while it is polled. Returns only when the Lease is lost, with the reason: somebody else
    /// took it, or it could not be renewed in time.
    pub async fn keep_alive(&self) -> Refusal {
        let mut renewed = self.renewed;
        let mut pause = RENEWAL;
        loop {
            tokio::time::sleep_until((Instant::now() + pause).min(renewed + RENEWAL_DEADLINE)).await;
            let sent = Instant::now();
            let failure = match tokio::time::timeout_at(renewed + RENEWAL_DEADLINE, self.renew()).await {
                Ok(Ok(())) => {
                    (renewed, pause) = (sent, RENEWAL);
                    continue;
                }
                Ok(Err(failure)) => failure,
                Err(_) => Failure::NoAnswer(format!("not renewed for {} s", RENEWAL_DEADLINE.as_secs())),
            };
            if !failure.may_pass() || renewed.elapsed() >= RENEWAL_DEADLINE {
                return Refusal::of(
                    format!("renewing Lease {}, without which another run may start", self.name),
                    failure,
                );
            }
            pause = RENEWAL_RETRY;
        }
    }

    /// Renews only the Lease that was acquired: that of another holder has another uid.
    async fn renew(&self) -> Result<(), Failure> {
        let renewed = micro(&self.cluster.now().to_string());
        let body = json!({"metadata": {"uid": self.lease["metadata"]["uid"]}, "spec": {"renewTime": renewed}});
        let call = Call::patch(self.path.clone(), "application/merge-patch+json", &body);
        self.cluster.send(&call).await.map(drop).map_err(|(failure, _)| failure)
    }

    /// Releases the Lease for the next submission, which has to wait for it to expire if this fails.
    pub async fn release(self) -> Option<Failure> {
        self.cluster.delete_object("releasing the Lease", &self.path, &self.lease).await.err()
    }
}

/// Deletes an expired Lease in the version that was read: its holder may be renewing it at this moment.
async fn delete_expired(cluster: &Cluster, doing: &str, path: &str, lease: &Value) -> Result<(), Failure> {
    let seen = &lease["metadata"];
    let options = json!({
        "kind": "DeleteOptions",
        "apiVersion": "v1",
        "preconditions": {"uid": seen["uid"], "resourceVersion": seen["resourceVersion"]},
    });
    cluster.send_until_answered(doing, &Call::delete(path.to_owned(), &options)).await.result.map(drop)
}

/// A time in the format of Kubernetes' `MicroTime`.
fn micro(time: &str) -> String {
    let (whole, _) = time.split_once(['.', 'Z']).unwrap_or((time, ""));
    format!("{whole}.000000Z")
}

fn has_expired(lease: &Value, now: Timestamp) -> bool {
    let renewed = lease["spec"]["renewTime"].as_str().and_then(|time| time.parse::<Timestamp>().ok());
    renewed.is_none_or(|renewed| now.duration_since(renewed) > LEASE_DURATION)
}

/// The other runs of the application's name that have not ended. A held driver of a submission that was killed does not
/// count.
///
/// # Errors
/// Pods cannot be listed.
pub async fn active(cluster: &Cluster, application: &Application) -> Result<Vec<Application>, Refusal> {
    let place = Cluster { namespace: application.namespace.clone(), ..cluster.clone() };
    let label = names::cut(&application.name, "", names::LABEL);
    let limits = Limits::at(cluster.now());
    let all = list(&place, None).await?.into_iter();
    let others = all.filter(|(other, _)| other.name == label && other.id != application.id);
    Ok(others.filter(|(_, observed)| is_active(observed, &limits)).map(|(other, _)| other).collect())
}

fn is_active(observed: &Observed, limits: &Limits) -> bool {
    let age = observed.created().map(|created| limits.now.duration_since(created));
    match State::of(observed, limits).status {
        // A deleted Job is gone before its driver.
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

    use super::{has_expired, micro};

    #[test]
    fn the_lease_of_a_dead_submitter_expires() {
        let lease = json!({"spec": {"renewTime": micro("2026-11-24T04:00:00.123456789Z")}});
        assert_eq!(lease["spec"]["renewTime"], "2026-11-24T04:00:00.000000Z");
        assert!(!has_expired(&lease, "2026-11-24T04:00:59Z".parse().unwrap()));
        assert!(has_expired(&lease, "2026-11-24T04:01:01Z".parse().unwrap()));
        assert!(has_expired(&json!({}), "2026-11-24T04:01:01Z".parse().unwrap()));
    }
}
