//! Plain requests to the API server: paths in, JSON out.

use std::path::Path;

use http::{Method, Request};
use http_body_util::BodyExt;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::Status;
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

pub struct Api {
    runtime: Runtime,
    client: Client,
}

impl Api {
    pub fn connect(kubeconfig: &Path) -> Api {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let client = runtime.block_on(async {
            let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("the tests' kubeconfig");
            let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
            Client::try_from(config.expect("the tests' kubeconfig")).expect("a client")
        });
        Api { runtime, client }
    }

    fn send(&self, method: Method, path: &str, content_type: &str, body: Vec<u8>) -> Result<Value, Box<Status>> {
        let (code, body) = self.pass_on(method, path, content_type, body);
        let json = serde_json::from_slice(&body).unwrap_or_default();
        match code {
            200..300 => Ok(json),
            _ => Err(serde_json::from_value(json).unwrap_or_default()),
        }
    }

    /// Sends a request unchanged. Returns the status code and the body.
    pub fn pass_on(&self, method: Method, path: &str, content_type: &str, body: Vec<u8>) -> (u16, Vec<u8>) {
        let request =
            Request::builder().method(method).uri(path).header("content-type", content_type).body(Body::from(body));
        let answer = self.runtime.block_on(async {
            let response = self.client.send(request.expect("a request")).await?;
            let (head, body) = response.into_parts();
            Ok::<_, kube::Error>((head.status, body.collect_bytes().await?))
        });
        let (status, body) = answer.unwrap_or_else(|error| panic!("no answer to {path}: {error}"));
        (status.as_u16(), body.to_vec())
    }

    /// Reads a response that may never end, until `wanted` returns false.
    pub fn stream(&self, path: &str, mut wanted: impl FnMut(&[u8]) -> bool) {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        self.runtime.block_on(async {
            let Ok(response) = self.client.send(request).await else { return };
            let mut body = response.into_body();
            while let Some(Ok(frame)) = body.frame().await {
                if frame.data_ref().is_some_and(|bytes| !wanted(bytes)) {
                    return;
                }
            }
        });
    }

    pub fn get(&self, path: &str) -> Result<Value, Box<Status>> {
        self.send(Method::GET, path, "application/json", Vec::new())
    }

    /// The items of a list; none if the kind does not exist.
    pub fn items(&self, path: &str) -> Vec<Value> {
        let mut list = self.get(path).unwrap_or_default();
        match list["items"].take() {
            Value::Array(items) => items,
            _ => Vec::new(),
        }
    }

    pub fn create(&self, path: &str, object: &Value) -> Result<Value, Box<Status>> {
        self.send(Method::POST, path, "application/json", object.to_string().into_bytes())
    }

    pub fn patch(&self, path: &str, patch: &Value) -> Result<Value, Box<Status>> {
        self.send(Method::PATCH, path, "application/merge-patch+json", patch.to_string().into_bytes())
    }

    pub fn delete(&self, path: &str) -> Result<Value, Box<Status>> {
        self.send(Method::DELETE, path, "application/json", Vec::new())
    }

    /// Applies all objects of a YAML file of the checkout, as an administrator would.
    ///
    /// # Panics
    /// One is refused.
    pub fn apply_file(&self, path: &str, namespace: Option<&str>) {
        let text = std::fs::read_to_string(super::root().join(path)).expect(path);
        for object in serde_yaml::from_multiple::<Value>(&text).expect(path) {
            self.apply(&object, namespace);
        }
    }

    pub fn apply(&self, object: &Value, namespace: Option<&str>) -> Value {
        let version = object["apiVersion"].as_str().expect("apiVersion");
        let kind = object["kind"].as_str().expect("kind");
        let plural = match kind {
            "PriorityClass" => "priorityclasses".to_owned(),
            "NetworkPolicy" => "networkpolicies".to_owned(),
            kind => format!("{}s", kind.to_lowercase()),
        };
        let root = if version.contains('/') { "apis" } else { "api" };
        let place = namespace.map(|name| format!("/namespaces/{name}")).unwrap_or_default();
        let name = object["metadata"]["name"].as_str().expect("a name");
        let path = format!("/{root}/{version}{place}/{plural}/{name}?fieldManager=tests&force=true");
        let body = object.to_string().into_bytes();
        self.send(Method::PATCH, &path, "application/apply-patch+yaml", body)
            .unwrap_or_else(|status| panic!("applying {kind} {name}: {}", status.message))
    }

    /// Whether a user may do something.
    pub fn may(&self, user: &str, namespace: &str, verb: &str, resource: &str) -> bool {
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": user,
                "resourceAttributes": {"namespace": namespace, "verb": verb, "resource": resource},
            },
        });
        let answer = self.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", &review);
        answer.expect("a review")["status"]["allowed"] == true
    }
}
