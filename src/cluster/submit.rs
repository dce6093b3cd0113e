use std::sync::OnceLock;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::request::{Answer, Call};
use super::{Cluster, Failure, Refusal, kinds, suggest};
use crate::exit_code::ExitCode;
use crate::kubernetes::{Object, difference};
use crate::manifests::{HOLD, Manifests, RUN_KEY, SPECIFICATION, STAYS_SUSPENDED};
use crate::program::program;
use crate::terminal::messages;

/// How long a request under way may still take when the user interrupts: dropped, its fate were unknown.
const LAST_REQUEST: Duration = Duration::from_secs(3);

/// An application that runs, or will as soon as there is room.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// What was created, as it is spoken of, in order.
    pub created: Vec<String>,
    /// Since when the very same run has been there, if it was submitted before.
    pub since: Option<String>,
    /// What of the carrier the cluster's admission made otherwise than it was sent.
    pub changed: Vec<String>,
}

/// Creates an application whole or not at all: the carrier held, all else with it as the owner, then
/// the release. `interrupted` ends the attempt, with the reason; after the release it has no effect. `again`: the same
/// manifests were sent before, and what came of it may not be known.
///
/// # Errors
/// Any of it is refused: what was created is deleted again, and the refusal says so.
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

/// Has the API server judge every object, and an executor as the driver would make it, with admission and all, and store
/// none.
///
/// # Errors
/// The first refusal.
pub async fn dry_run(cluster: &Cluster, manifests: &Manifests, executor: &Object) -> Result<(), Refusal> {
    let submission = Submission::of(cluster, manifests);
    let carrier = submission.post(&manifests.carrier, None, true).await;
    let carrier = match carrier {
        // The PodGroup is not stored either, so an older Volcano cannot judge the pod.
        Err(refusal) if refusal.failure.says(NO_POD_GROUP) => {
            messages::warn("this cluster's Volcano cannot judge the driver pod before its PodGroup exists");
            json!({"metadata": {"uid": "00000000-0000-0000-0000-000000000000"}})
        }
        Err(refusal) => return Err(suggest::explained(cluster, submission.namespace(), refusal).await),
        Ok(judged) => judged,
    };
    let owner = owner(&manifests.carrier, &carrier);
    let judged = manifests.owned.iter().chain([executor]).map(|object| submission.post(object, Some(&owner), true));
    join_all(judged).await.into_iter().find_map(Result::err).map_or(Ok(()), Err)
}

/// What Volcano 1.11 and older say of a pod that comes before its PodGroup.
const NO_POD_GROUP: &str = "failed to get PodGroup for pod";

/// Between what is there and what is sent now, or was sent then.
const WOULD_BE: &str = "and would be";
const SENT_AS: &str = "and was sent as";

/// A submission under way: what must be taken back if it fails.
struct Submission<'a> {
    cluster: &'a Cluster,
    manifests: &'a Manifests,
    /// The carrier as created; with no answer known, as it was sent.
    carrier: Option<Value>,
    /// Whether the carrier's creation was begun: its fate may be unknown.
    begun: bool,
    /// Objects created with no owner: nothing would collect them.
    loose: Vec<(Object, Value)>,
    /// The carrier was there before, from a submission of the same run that may still be under way.
    resumed: bool,
    /// It may be there from an earlier try.
    again: bool,
}

impl<'a> Submission<'a> {
    fn of(cluster: &'a Cluster, manifests: &'a Manifests) -> Self {
        Submission { cluster, manifests, carrier: None, begun: false, loose: Vec::new(), resumed: false, again: false }
    }

    /// All requests in their order; `stop` ends them at the next step.
    async fn steps(&mut self, stop: &OnceLock<Refusal>) -> Result<Submitted, Refusal> {
        let go_on = || stop.get().map_or(Ok(()), |why| Err(why.clone()));
        let carrier = self.create_carrier().await?;
        if self.resumed && !is_held(&carrier) {
            let since = carrier["metadata"]["creationTimestamp"].as_str().map(str::to_owned);
            return Ok(Submitted { created: Vec::new(), since, changed: Vec::new() });
        }
        go_on()?;
        let owner = owner(&self.manifests.carrier, &carrier);
        for (object, created) in &self.loose {
            self.adopt(object, created, &owner).await?;
        }
        let is_loose = |object: &&Object| !self.loose.iter().any(|(loose, _)| loose == *object);
        let companions = self.manifests.owned.iter().filter(is_loose);
        let results = join_all(companions.map(|object| self.post(object, Some(&owner), false))).await;
        results.into_iter().find_map(Result::err).map_or(Ok(()), Err)?;
        go_on()?;
        self.release(&carrier).await?;
        let all = std::iter::once(&self.manifests.carrier).chain(&self.manifests.owned);
        let changed = match self.resumed {
            true => Vec::new(),
            false => difference::between(&carrier, &self.manifests.carrier.0, SENT_AS),
        };
        Ok(Submitted { created: all.map(kinds::describe).collect(), since: None, changed })
    }

    async fn create_carrier(&mut self) -> Result<Value, Refusal> {
        self.begun = true;
        let (created, is_repeated) = self.posted(&self.manifests.carrier, None, false).await;
        let carrier = match created {
            Err(refusal) if refusal.failure.says(NO_POD_GROUP) => {
                for group in self.manifests.owned.iter().filter(|object| object.kind() == "PodGroup") {
                    let created = self.post(group, None, false).await?;
                    self.loose.push((group.clone(), created));
                }
                self.post(&self.manifests.carrier, None, false).await?
            }
            Err(refusal) if refusal.failure.already_exists() => {
                self.begun = false;
                self.earlier(refusal).await?
            }
            Err(refusal) => {
                self.begun = is_repeated || self.again || !refusal.failure.is_final();
                return Err(refusal);
            }
            Ok(created) => created,
        };
        self.carrier = Some(carrier.clone());
        Ok(carrier)
    }

    async fn post(&self, object: &Object, owner: Option<&Value>, dry_run: bool) -> Result<Value, Refusal> {
        self.posted(object, owner, dry_run).await.0
    }

    /// Creates an object. Where an answer was lost and the object is there, it is looked at: if it is
    /// ours, it was created by the request whose answer was lost. The other value says whether one was lost.
    async fn posted(&self, object: &Object, owner: Option<&Value>, dry_run: bool) -> (Result<Value, Refusal>, bool) {
        let doing = format!("creating {}", kinds::describe(object));
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
                    Err(unseen) => Err(unseen),
                }
            }
            result => result,
        };
        (result.map_err(refusal), repeated)
    }

    /// Lets the carrier go. A strategic merge that deletes the gate by its name does nothing when the
    /// gate is gone, so it may be sent again; the uid makes sure of the very same object.
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
        self.patch(object, &body, format!("releasing {}", kinds::describe(object))).await
    }

    /// Makes the carrier the owner of an object that had to come before it.
    async fn adopt(&self, object: &Object, created: &Value, owner: &Value) -> Result<(), Refusal> {
        let body = json!({"metadata": {"uid": uid(created), "ownerReferences": [owner]}});
        self.patch(object, &body, format!("adopting {}", kinds::describe(object))).await
    }

    async fn patch(&self, object: &Object, body: &Value, doing: String) -> Result<(), Refusal> {
        let uri = format!("{}/{}?fieldManager=sparkctl", self.collection(object)?, object.name());
        // Strategic merges are for built-in kinds only.
        let content_type = match object.kind() {
            "PodGroup" => "application/merge-patch+json",
            _ => "application/strategic-merge-patch+json",
        };
        let call = Call::patch(uri, content_type, body);
        let answer = self.cluster.send_until_answered(&doing, &call).await;
        answer.result.map_err(|failure| self.refusal(doing, failure))?;
        Ok(())
    }

    /// Takes back what was created. Each line says what became of one object.
    async fn undo(&mut self) -> Vec<String> {
        if self.resumed {
            let carrier = kinds::describe(&self.manifests.carrier);
            return vec![format!("{carrier} was there before, and is left: submitted again, it is completed")];
        }
        let mut undone = Vec::new();
        for (object, created) in std::mem::take(&mut self.loose) {
            undone.push(self.take_back(&object, &created).await);
        }
        let carrier = &self.manifests.carrier;
        match self.created_carrier().await {
            Ok(Some(created)) => {
                let line = self.take_back(carrier, &created).await;
                undone.push(format!("{line}, and with it all it owned"));
            }
            Ok(None) => {}
            Err(failure) => undone.push(format!(
                "it is not known whether {} was created ({failure}); if it was, it is held and does nothing",
                kinds::describe(carrier)
            )),
        }
        undone
    }

    /// The carrier as created; looked for when its creation was begun and no answer came.
    async fn created_carrier(&self) -> Result<Option<Value>, Failure> {
        let object = &self.manifests.carrier;
        let path = match self.collection(object) {
            Ok(path) if self.carrier.is_none() && self.begun => format!("{path}/{}", object.name()),
            _ => return Ok(self.carrier.clone()),
        };
        match self.cluster.send(&Call::get(path)).await {
            Ok(found) => Ok(is_ours(&object.0, &found).then_some(found)),
            Err((failure, _)) if failure.code() == 404 => Ok(None),
            Err((failure, _)) => Err(failure),
        }
    }

    async fn take_back(&self, object: &Object, created: &Value) -> String {
        let called = kinds::describe(object);
        let Ok(path) = self.collection(object) else {
            return format!("left {called}");
        };
        let path = format!("{path}/{}", object.name());
        match self.cluster.delete_object(&format!("deleting {called}"), &path, created).await {
            Ok(_) => format!("deleted {called}"),
            Err(failure) => format!(
                "could not delete {called} ({failure}); delete it with: kubectl delete {} {} -n {}",
                object.kind().to_lowercase(),
                object.name(),
                self.namespace()
            ),
        }
    }

    /// The carrier that has the name, if it is this very run's: a submission that was killed is gone on with.
    async fn earlier(&mut self, refusal: Refusal) -> Result<Value, Refusal> {
        let object = &self.manifests.carrier;
        let path = format!("{}/{}", self.collection(object)?, object.name());
        let answer = self.cluster.send_until_answered(&refusal.doing, &Call::get(path)).await;
        let Ok(found) = answer.result else { return Err(refusal) };
        if !is_ours(&object.0, &found) || !(self.again || run_key(&object.0).is_some()) {
            return Err(self.name_taken(refusal, &found));
        }
        if found["metadata"]["deletionTimestamp"].is_string() {
            let hint = "its earlier submission is being deleted: submit it again when it is gone".to_owned();
            return Err(Refusal { hint: Some(hint), ..refusal });
        }
        if annotation(&object.0, SPECIFICATION) != annotation(&found, SPECIFICATION) {
            return Err(self.another_specification(&found).await);
        }
        self.resumed = true;
        Ok(found)
    }

    /// The key is that of a run which is not the same: in what.
    async fn another_specification(&self, found: &Value) -> Refusal {
        let mut differences = Vec::new();
        differences.extend(difference::between(found, &self.manifests.carrier.0, WOULD_BE));
        for object in &self.manifests.owned {
            let Ok(path) = self.collection(object) else { continue };
            match self.cluster.send(&Call::get(format!("{path}/{}", object.name()))).await {
                Ok(there) => differences.extend(difference::between(&there, &object.0, WOULD_BE)),
                Err((failure, _)) if failure.code() == 404 => {
                    differences.push(format!("{} is not there", kinds::describe(object)));
                }
                Err(_) => {}
            }
        }
        let key = run_key(&self.manifests.carrier.0).unwrap_or_default();
        let since = text(found, "/metadata/creationTimestamp");
        let said = match differences.is_empty() {
            true => "something was left out since".to_owned(),
            false => differences.join("; "),
        };
        let failure =
            Failure::Differs(format!("run `{key}` was submitted at {since} with another specification: {said}"));
        let hint = format!(
            "choose another key, or delete that run first: {} delete {} -n {}",
            program(),
            name_of(found).unwrap_or(self.manifests.carrier.name()),
            self.namespace()
        );
        let doing = format!("creating {}", kinds::describe(&self.manifests.carrier));
        Refusal { doing, failure, hint: Some(hint), undone: Vec::new() }
    }

    fn name_taken(&self, refusal: Refusal, found: &Value) -> Refusal {
        Refusal { hint: Some(who_has_it(&self.manifests.carrier, found, self.namespace())), ..refusal }
    }

    fn collection(&self, object: &Object) -> Result<String, Refusal> {
        kinds::collection(object, self.namespace())
            .map_err(|why| self.refusal(format!("creating {}", kinds::describe(object)), Failure::NotSent(why)))
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

/// Who has the name of a carrier, and how it comes free.
fn who_has_it(carrier: &Object, found: &Value, namespace: &str) -> String {
    let called = kinds::describe(carrier);
    let other = "or let each run have its own name: metadata.generateName";
    if found.pointer("/metadata/deletionTimestamp").is_some() {
        return format!("{called} is being deleted: submit again when it is gone; {other}");
    }
    let since = text(found, "/metadata/creationTimestamp");
    let phase = found.pointer("/status/phase").and_then(Value::as_str);
    let phase = phase.map(|phase| format!(" ({phase})")).unwrap_or_default();
    let name = name_of(found).unwrap_or(carrier.name());
    format!("{called} exists since {since}{phase}. Delete it: {} delete {name} -n {namespace}; {other}", program())
}

/// What a submission ends with that a signal interrupted: `code` is what a shell reports for it.
pub fn stopped(code: ExitCode) -> Refusal {
    Refusal::of("submitting", Failure::Interrupted(code))
}

/// The reference by which the garbage collector knows what goes with the carrier.
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

/// Whether a carrier waits for its companions, or for its submitter.
fn is_held(carrier: &Value) -> bool {
    let gates = carrier["spec"]["schedulingGates"].as_array();
    annotation(carrier, HOLD).is_some() || gates.is_some_and(|gates| gates.iter().any(|gate| gate["name"] == HOLD))
}

fn uid(created: &Value) -> &str {
    created.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default()
}

/// Whether an object that is there was created by this submission: same owner, and for what has no
/// owner the same application id, which no two submissions share.
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

    use super::{Object, is_ours, who_has_it};

    #[test]
    fn says_how_a_name_comes_free() {
        let carrier = Object(json!({"kind": "Job", "metadata": {"name": "pi"}}));
        let mut found = json!({"metadata": {"creationTimestamp": "2026-11-24T21:00:00Z"}});
        assert_eq!(
            who_has_it(&carrier, &found, "jobs"),
            "Job pi exists since 2026-11-24T21:00:00Z. Delete it: sparkctl delete pi -n jobs; \
             or let each run have its own name: metadata.generateName"
        );
        found["metadata"]["deletionTimestamp"] = "2026-11-24T22:00:00Z".into();
        assert!(
            who_has_it(&carrier, &found, "jobs").starts_with("Job pi is being deleted: submit again when it is gone")
        );
    }

    #[test]
    fn knows_its_own_by_owner_or_application() {
        let labelled = |id: &str| json!({"metadata": {"labels": {"spark-app-selector": id}}});
        let owned = |uid: &str| json!({"metadata": {"ownerReferences": [{"uid": uid}]}});
        assert!(is_ours(&labelled("a"), &labelled("a")));
        assert!(!is_ours(&labelled("a"), &labelled("b")));
        assert!(!is_ours(&json!({}), &json!({})));
        assert!(is_ours(&owned("u"), &owned("u")));
        assert!(!is_ours(&owned("u"), &labelled("a")));
    }
}
