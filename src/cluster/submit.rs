//! Creates an application as a whole or not at all.

use std::sync::OnceLock;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::connect::Cluster;
use super::error::{Failure, Refusal};
use super::executor_check;
use super::paths;
use super::request::{Answer, Call};
use super::suggest;
use crate::exit_code::ExitCode;
use crate::kubernetes::{Object, difference};
use crate::manifests::{HOLD, Manifests, RUN_KEY, SPECIFICATION, STAYS_SUSPENDED};
use crate::program::program;
use crate::scheduler::volcano::NO_POD_GROUP;
use crate::terminal::messages;

/// How long a request under way may still take when the user interrupts: if it were dropped, nobody would know whether
/// it was carried out.
const LAST_REQUEST: Duration = Duration::from_secs(3);

/// A submitted application.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// The objects that were created, by their names in messages, in order.
    pub created: Vec<String>,
    /// When the same run was submitted, if it had been before.
    pub since: Option<String>,
    /// What the cluster's admission changed in the carrier.
    pub changed: Vec<String>,
}

/// Creates an application as a whole or not at all: first the carrier on hold, then everything else with the carrier as
/// its owner, then the release. `interrupted` ends the submission with its reason, unless it was released. `again` says
/// that the same manifests were sent before, with a result that may not be known.
///
/// # Errors
/// A request is refused. What was created is deleted again, and the refusal lists it.
pub async fn submit(
    cluster: &Cluster,
    manifests: &Manifests,
    again: bool,
    interrupted: impl Future<Output = Refusal>,
) -> Result<Submitted, Refusal> {
    let mut submission = Submission { again, ..Submission::of(cluster, manifests) };
    let stop = OnceLock::new();
    let outcome = {
        let steps = submission.steps(&stop);
        let give_up = async {
            let why = interrupted.await;
            let why = stop.get_or_init(|| why).clone();
            tokio::time::sleep(LAST_REQUEST).await;
            why
        };
        tokio::select! {
            outcome = steps => outcome,
            why = give_up => Err(why),
        }
    };
    match outcome {
        Ok(submitted) => Ok(submitted),
        Err(refusal) => {
            let undone = submission.undo().await;
            let refusal = suggest::explained(cluster, submission.namespace(), refusal).await;
            Err(Refusal { undone, ..refusal })
        }
    }
}

/// Sends every object, and an executor as the driver would create it, to the API server as a dry run: with admission,
/// without storing any.
///
/// # Errors
/// The first refusal.
pub async fn dry_run(cluster: &Cluster, manifests: &Manifests) -> Result<(), Refusal> {
    let submission = Submission::of(cluster, manifests);
    let carrier = submission.post(&manifests.carrier, None, true).await;
    let carrier = match carrier {
        // The PodGroup is not stored either, so that an older Volcano cannot check the pod.
        Err(refusal) if refusal.failure.contains(NO_POD_GROUP) => {
            messages::warn("this cluster's Volcano cannot check the driver pod before its PodGroup exists");
            json!({"metadata": {"uid": "00000000-0000-0000-0000-000000000000"}})
        }
        Err(refusal) => return Err(suggest::explained(cluster, submission.namespace(), refusal).await),
        Ok(carrier) => carrier,
    };
    let owner = owner(&manifests.carrier, &carrier);
    let answers =
        manifests.owned.iter().chain(&manifests.executor).map(|object| submission.post(object, Some(&owner), true));
    join_all(answers).await.into_iter().find_map(Result::err).map_or(Ok(()), Err)
}

/// The words of a difference between what exists and what would be sent, or was sent.
const WOULD_BE: &str = "and would be";
const SENT_AS: &str = "and was sent as";

/// A submission under way, and what must be deleted again if it fails.
struct Submission<'a> {
    cluster: &'a Cluster,
    manifests: &'a Manifests,
    /// The carrier as it was created.
    carrier: Option<Value>,
    /// Whether the carrier may have been created without an answer.
    started: bool,
    /// Objects created without an owner, which the garbage collector would never delete.
    unowned: Vec<(Object, Value)>,
    /// The carrier existed before, from a submission of the same run that may still be under way.
    resumed: bool,
    /// Objects may exist from an earlier attempt.
    again: bool,
}

impl<'a> Submission<'a> {
    fn of(cluster: &'a Cluster, manifests: &'a Manifests) -> Self {
        Submission {
            cluster,
            manifests,
            carrier: None,
            started: false,
            unowned: Vec::new(),
            resumed: false,
            again: false,
        }
    }

    /// Sends all requests in order, and beside the first one an executor for validation; `stop` ends the submission before the next step.
    async fn steps(&mut self, stop: &OnceLock<Refusal>) -> Result<Submitted, Refusal> {
        let check_stop = || stop.get().map_or(Ok(()), |why| Err(why.clone()));
        let (cluster, executor, namespace) = (self.cluster, self.manifests.executor.as_ref(), self.namespace());
        let validated = executor_check::validate(cluster, executor, namespace);
        let (carrier, validated) = tokio::join!(self.create_carrier(), validated);
        let carrier = carrier?;
        if self.resumed && !is_held(&carrier) {
            let since = carrier["metadata"]["creationTimestamp"].as_str().map(str::to_owned);
            return Ok(Submitted { created: Vec::new(), since, changed: Vec::new() });
        }
        validated?;
        check_stop()?;
        let owner = owner(&self.manifests.carrier, &carrier);
        for (object, created) in &self.unowned {
            self.adopt(object, created, &owner).await?;
        }
        let is_new = |object: &&Object| !self.unowned.iter().any(|(unowned, _)| unowned == *object);
        let owned = self.manifests.owned.iter().filter(is_new);
        let results = join_all(owned.map(|object| self.post(object, Some(&owner), false))).await;
        results.into_iter().find_map(Result::err).map_or(Ok(()), Err)?;
        check_stop()?;
        self.release(&carrier).await?;
        let all = std::iter::once(&self.manifests.carrier).chain(&self.manifests.owned);
        let changed = match self.resumed {
            true => Vec::new(),
            false => difference::between(&carrier, &self.manifests.carrier.0, SENT_AS),
        };
        Ok(Submitted { created: all.map(paths::describe).collect(), since: None, changed })
    }

    async fn create_carrier(&mut self) -> Result<Value, Refusal> {
        self.started = true;
        let (created, is_repeated) = self.create(&self.manifests.carrier, None, false).await;
        let carrier = match created {
            Err(refusal) if refusal.failure.contains(NO_POD_GROUP) => {
                for group in self.manifests.owned.iter().filter(|object| object.kind() == "PodGroup") {
                    let created = self.post(group, None, false).await?;
                    self.unowned.push((group.clone(), created));
                }
                self.post(&self.manifests.carrier, None, false).await?
            }
            Err(refusal) if refusal.failure.already_exists() => {
                self.started = false;
                self.earlier(refusal).await?
            }
            Err(refusal) => {
                self.started = is_repeated || self.again || !refusal.failure.is_final();
                return Err(refusal);
            }
            Ok(created) => created,
        };
        self.carrier = Some(carrier.clone());
        Ok(carrier)
    }

    async fn post(&self, object: &Object, owner: Option<&Value>, dry_run: bool) -> Result<Value, Refusal> {
        self.create(object, owner, dry_run).await.0
    }

    /// Creates an object. If an answer was lost and the object exists, it is read: if it is ours, the request whose answer
    /// was lost created it. The second value says whether an answer was lost.
    async fn create(&self, object: &Object, owner: Option<&Value>, dry_run: bool) -> (Result<Value, Refusal>, bool) {
        let doing = format!("creating {}", paths::describe(object));
        let refusal = |failure| self.refusal(doing.as_str(), failure);
        let path = match self.collection(object) {
            Ok(path) => path,
            Err(refusal) => return (Err(refusal), false),
        };
        let mut body = object.0.clone();
        if let Some(owner) = owner {
            body["metadata"]["ownerReferences"] = json!([owner]);
        }
        let dry = if dry_run { "&dryRun=All" } else { "" };
        let call = Call::post(format!("{path}?fieldManager=sparkctl&fieldValidation=Strict{dry}"), &body);
        let Answer { result, repeated } = self.cluster.send_until_answered(&doing, &call).await;
        let result = match result {
            Err(failure) if failure.already_exists() && (repeated || self.resumed) => {
                let found = Call::get(format!("{path}/{}", object.name()));
                match self.cluster.send_until_answered(&doing, &found).await.result {
                    Ok(found) if is_ours(&body, &found) => Ok(found),
                    Ok(_) => Err(failure),
                    Err(unread) => Err(unread),
                }
            }
            result => result,
        };
        (result.map_err(refusal), repeated)
    }

    /// Releases the carrier. The strategic merge deletes the gate by name, which does nothing if the gate is gone, so that
    /// the request can be repeated; the uid limits it to the same object.
    async fn release(&self, carrier: &Value) -> Result<(), Refusal> {
        let object = &self.manifests.carrier;
        let uid = uid(carrier);
        let body = match object.kind() {
            "Pod" => {
                let gates = json!([{"$patch": "delete", "name": HOLD}]);
                json!({"metadata": {"uid": uid}, "spec": {"schedulingGates": gates}})
            }
            _ => {
                let suspend = annotation(&object.0, HOLD) == Some(STAYS_SUSPENDED);
                json!({"metadata": {"uid": uid, "annotations": {HOLD: null}}, "spec": {"suspend": suspend}})
            }
        };
        self.patch(object, &body, format!("releasing {}", paths::describe(object))).await
    }

    /// Makes the carrier the owner of an object that had to be created before it.
    async fn adopt(&self, object: &Object, created: &Value, owner: &Value) -> Result<(), Refusal> {
        let body = json!({"metadata": {"uid": uid(created), "ownerReferences": [owner]}});
        self.patch(object, &body, format!("adopting {}", paths::describe(object))).await
    }

    async fn patch(&self, object: &Object, body: &Value, doing: String) -> Result<(), Refusal> {
        let uri = format!("{}/{}?fieldManager=sparkctl", self.collection(object)?, object.name());
        // Only built-in kinds support strategic merges.
        let content_type = match object.kind() {
            "PodGroup" => "application/merge-patch+json",
            _ => "application/strategic-merge-patch+json",
        };
        let call = Call::patch(uri, content_type, body);
        let answer = self.cluster.send_until_answered(&doing, &call).await;
        answer.result.map_err(|failure| self.refusal(doing, failure))?;
        Ok(())
    }

    /// Deletes what was created. Each line says what happened to one object.
    async fn undo(&mut self) -> Vec<String> {
        if self.resumed {
            let carrier = paths::describe(&self.manifests.carrier);
            return vec![format!("kept {carrier}, which existed before: submit again to complete it")];
        }
        let mut undone = Vec::new();
        for (object, created) in std::mem::take(&mut self.unowned) {
            undone.push(self.delete(&object, &created).await);
        }
        let carrier = &self.manifests.carrier;
        match self.created_carrier().await {
            Ok(Some(created)) => {
                let line = self.delete(carrier, &created).await;
                undone.push(format!("{line} and everything it owned"));
            }
            Ok(None) => {}
            Err(failure) => undone.push(format!(
                "{} may have been created ({failure}); if so, it is on hold and does nothing",
                paths::describe(carrier)
            )),
        }
        undone
    }

    /// The carrier as it was created; read if its creation was not answered.
    async fn created_carrier(&self) -> Result<Option<Value>, Failure> {
        let object = &self.manifests.carrier;
        let path = match self.collection(object) {
            Ok(path) if self.carrier.is_none() && self.started => format!("{path}/{}", object.name()),
            _ => return Ok(self.carrier.clone()),
        };
        match self.cluster.send(&Call::get(path)).await {
            Ok(found) => Ok(is_ours(&object.0, &found).then_some(found)),
            Err((failure, _)) if failure.code() == 404 => Ok(None),
            Err((failure, _)) => Err(failure),
        }
    }

    async fn delete(&self, object: &Object, created: &Value) -> String {
        let name = paths::describe(object);
        let Ok(path) = self.collection(object) else {
            return format!("kept {name}");
        };
        let path = format!("{path}/{}", object.name());
        match self.cluster.delete_object(&format!("deleting {name}"), &path, created).await {
            Ok(_) => format!("deleted {name}"),
            Err(failure) => format!(
                "could not delete {name} ({failure}); delete it with: kubectl delete {} {} -n {}",
                object.kind().to_lowercase(),
                object.name(),
                self.namespace()
            ),
        }
    }

    /// The existing carrier of that name, if it belongs to the same run: an interrupted submission is continued.
    async fn earlier(&mut self, refusal: Refusal) -> Result<Value, Refusal> {
        let object = &self.manifests.carrier;
        let path = format!("{}/{}", self.collection(object)?, object.name());
        let answer = self.cluster.send_until_answered(&refusal.doing, &Call::get(path)).await;
        let Ok(found) = answer.result else { return Err(refusal) };
        if !is_ours(&object.0, &found) || !(self.again || run_key(&object.0).is_some()) {
            return Err(self.name_taken(refusal, &found));
        }
        if found["metadata"]["deletionTimestamp"].is_string() {
            let hint = "its earlier submission is being deleted: submit again when it is gone".to_owned();
            return Err(Refusal { hint: Some(hint), ..refusal });
        }
        if annotation(&object.0, SPECIFICATION) != annotation(&found, SPECIFICATION) {
            return Err(self.another_specification(&found).await);
        }
        self.resumed = true;
        Ok(found)
    }

    /// The refusal for a key that belongs to a run with another specification, with the differences.
    async fn another_specification(&self, found: &Value) -> Refusal {
        let mut differences = Vec::new();
        differences.extend(difference::between(found, &self.manifests.carrier.0, WOULD_BE));
        for object in &self.manifests.owned {
            let Ok(path) = self.collection(object) else { continue };
            match self.cluster.send(&Call::get(format!("{path}/{}", object.name()))).await {
                Ok(there) => differences.extend(difference::between(&there, &object.0, WOULD_BE)),
                Err((failure, _)) if failure.code() == 404 => {
                    differences.push(format!("{} does not exist", paths::describe(object)));
                }
                Err(_) => {}
            }
        }
        let key = run_key(&self.manifests.carrier.0).unwrap_or_default();
        let since = text(found, "/metadata/creationTimestamp");
        let difference = match differences.is_empty() {
            true => "something has been removed from it".to_owned(),
            false => differences.join("; "),
        };
        let failure =
            Failure::Differs(format!("run `{key}` was submitted at {since} with another specification: {difference}"));
        let hint = format!(
            "choose another key, or delete that run first: {} delete {} -n {}",
            program(),
            name_of(found).unwrap_or(self.manifests.carrier.name()),
            self.namespace()
        );
        let doing = format!("creating {}", paths::describe(&self.manifests.carrier));
        Refusal { doing, failure, hint: Some(hint), undone: Vec::new() }
    }

    fn name_taken(&self, refusal: Refusal, found: &Value) -> Refusal {
        Refusal { hint: Some(name_hint(&self.manifests.carrier, found, self.namespace())), ..refusal }
    }

    fn collection(&self, object: &Object) -> Result<String, Refusal> {
        paths::collection(object, self.namespace())
            .map_err(|why| self.refusal(format!("creating {}", paths::describe(object)), Failure::NotSent(why)))
    }

    fn namespace(&self) -> &'a str {
        match self.manifests.carrier.namespace() {
            "" => &self.cluster.namespace,
            namespace => namespace,
        }
    }

    fn refusal(&self, doing: impl Into<String>, failure: Failure) -> Refusal {
        Refusal::new(doing, failure, self.namespace())
    }
}

/// The hint for a carrier whose name is taken: by what, and how to free it.
fn name_hint(carrier: &Object, found: &Value, namespace: &str) -> String {
    let carrier_name = paths::describe(carrier);
    let other = "or give each run its own name with metadata.generateName";
    if found.pointer("/metadata/deletionTimestamp").is_some() {
        return format!("{carrier_name} is being deleted: submit again when it is gone; {other}");
    }
    let since = text(found, "/metadata/creationTimestamp");
    let phase = found.pointer("/status/phase").and_then(Value::as_str);
    let phase = phase.map(|phase| format!(" ({phase})")).unwrap_or_default();
    let name = name_of(found).unwrap_or(carrier.name());
    format!(
        "{carrier_name} exists since {since}{phase}. Delete it: {} delete {name} -n {namespace}; {other}",
        program()
    )
}

/// The refusal of a submission that a signal interrupted, with the exit code that a shell reports for it.
pub fn interrupted(code: ExitCode) -> Refusal {
    Refusal::of("submitting", Failure::Interrupted(code))
}

/// The reference by which the garbage collector deletes an object with its carrier.
fn owner(object: &Object, created: &Value) -> Value {
    json!({
        "apiVersion": object.0["apiVersion"],
        "kind": object.kind(),
        "name": object.name(),
        "uid": uid(created),
        "controller": true,
    })
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or("?")
}

/// The application's name.
fn name_of(carrier: &Value) -> Option<&str> {
    carrier.pointer("/metadata/labels/sparkoperator.k8s.io~1app-name").and_then(Value::as_str)
}

fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object["metadata"]["annotations"][name].as_str()
}

fn run_key(carrier: &Value) -> Option<&str> {
    annotation(carrier, RUN_KEY)
}

/// Whether a carrier is on hold.
fn is_held(carrier: &Value) -> bool {
    let gates = carrier["spec"]["schedulingGates"].as_array();
    annotation(carrier, HOLD).is_some() || gates.is_some_and(|gates| gates.iter().any(|gate| gate["name"] == HOLD))
}

fn uid(created: &Value) -> &str {
    created.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default()
}

/// Whether an existing object was created by this submission: it has the same owner or, without one, the same application
/// id, which is unique to a submission.
fn is_ours(sent: &Value, found: &Value) -> bool {
    let owner = |object: &Value| object.pointer("/metadata/ownerReferences/0/uid").cloned();
    let id = |object: &Value| object.pointer("/metadata/labels/spark-app-selector").cloned();
    match owner(sent) {
        Some(uid) => owner(found) == Some(uid),
        None => id(sent).is_some() && id(sent) == id(found),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Object, is_ours, name_hint};

    #[test]
    fn says_how_to_free_a_name() {
        let carrier = Object(json!({"kind": "Job", "metadata": {"name": "pi"}}));
        let mut found = json!({"metadata": {"creationTimestamp": "2026-11-24T21:00:00Z"}});
        assert_eq!(
            name_hint(&carrier, &found, "jobs"),
            "Job pi exists since 2026-11-24T21:00:00Z. Delete it: sparkctl delete pi -n jobs; \
             or give each run its own name with metadata.generateName"
        );
        found["metadata"]["deletionTimestamp"] = "2026-11-24T22:00:00Z".into();
        assert!(
            name_hint(&carrier, &found, "jobs").starts_with("Job pi is being deleted: submit again when it is gone")
        );
    }

    #[test]
    fn recognizes_its_own_objects_by_owner_or_application() {
        let labelled = |id: &str| json!({"metadata": {"labels": {"spark-app-selector": id}}});
        let owned = |uid: &str| json!({"metadata": {"ownerReferences": [{"uid": uid}]}});
        assert!(is_ours(&labelled("a"), &labelled("a")));
        assert!(!is_ours(&labelled("a"), &labelled("b")));
        assert!(!is_ours(&json!({}), &json!({})));
        assert!(is_ours(&owned("u"), &owned("u")));
        assert!(!is_ours(&owned("u"), &labelled("a")));
    }
}
