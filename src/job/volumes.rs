//! Volumes of the application and where each role mounts them.

use k8s_openapi::api::core::v1 as api;
use serde_json::Value;

use super::kubernetes_type::Embedded;
use super::role::RoleSpec;
use crate::diagnostic::Problem;
use crate::kubernetes::pod::Pod;
use crate::spark::volumes::SCRATCH_PREFIX;
use crate::spark::{Conf, Role};

/// `spec.volumes`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Volumes(pub Vec<Embedded<api::Volume>>);

impl super::schema::Read for Volumes {
    fn kind() -> super::schema::Kind {
        Vec::<Embedded<api::Volume>>::kind()
    }

    fn read(node: &super::yaml::Node, reader: &mut super::schema::Reader) -> Self {
        Self(Vec::read(node, reader))
    }
}

impl Volumes {
    fn find(&self, name: &str) -> Option<&Embedded<api::Volume>> {
        self.0.iter().find(|volume| volume.text("name") == name)
    }

    /// Scratch space, which Spark takes by its settings: a driver and its executors then set
    /// `SPARK_SCRATCH_PREFIXS` to it. Mounts of other volumes are no setting's.
    pub fn settings(&self, spec: &RoleSpec, role: Role, conf: &mut Conf) {
        for mount in spec.volume_mounts.iter().filter(|mount| mount.text("name").starts_with(SCRATCH_PREFIX)) {
            let Some((kind, source)) = self.find(mount.text("name")).and_then(scratch) else { continue };
            let prefix = format!("spark.kubernetes.{}.volumes.{kind}.{}", role.word(), mount.text("name"));
            conf.set(format!("{prefix}.mount.path"), mount.text("mountPath"));
            if !mount.text("subPath").is_empty() {
                conf.set(format!("{prefix}.mount.subPath"), mount.text("subPath"));
            }
            if mount.json["readOnly"] == true {
                conf.set(format!("{prefix}.mount.readOnly"), "true");
            }
            for (option, value) in source.as_object().into_iter().flatten() {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                conf.set(format!("{prefix}.options.{option}"), text);
            }
        }
    }

    /// The other volumes that the role's containers mount, and the mounts of Spark's own.
    pub fn overlay(&self, spec: &RoleSpec, pod: &mut Pod) {
        let of_sidecars =
            spec.sidecars.iter().chain(&spec.init_containers).flat_map(|container| mounts(&container.json));
        let mounted: Vec<&str> = spec.volume_mounts.iter().map(|mount| mount.text("name")).chain(of_sidecars).collect();
        for volume in &self.0 {
            let name = volume.text("name");
            if mounted.contains(&name) && !self.is_scratch(name, spec) && !pod.has_volume(name) {
                pod.append("volumes", [volume.json.clone()]);
            }
        }
        let own = spec.volume_mounts.iter().filter(|mount| !self.is_scratch(mount.text("name"), spec));
        let own: Vec<Value> = own.map(|mount| mount.json.clone()).collect();
        pod.spark_container().append("volumeMounts", own);
    }

    /// Whether Spark itself puts this volume into the pod.
    fn is_scratch(&self, name: &str, spec: &RoleSpec) -> bool {
        name.starts_with(SCRATCH_PREFIX)
            && spec.volume_mounts.iter().any(|mount| mount.text("name") == name)
            && self.find(name).is_some_and(|volume| scratch(volume).is_some())
    }

    /// Whether a container of one of the roles mounts the volume.
    pub fn is_mounted(&self, name: &str, roles: [&RoleSpec; 2]) -> bool {
        roles.into_iter().any(|spec| {
            let of_sidecars =
                spec.sidecars.iter().chain(&spec.init_containers).flat_map(|container| mounts(&container.json));
            let of_template = spec
                .template
                .iter()
                .flat_map(|template| template.json["spec"]["containers"].as_array())
                .flatten()
                .flat_map(mounts);
            spec.volume_mounts
                .iter()
                .map(|mount| mount.text("name"))
                .chain(of_sidecars)
                .chain(of_template)
                .any(|mounted| mounted == name)
        })
    }

    /// Mounts of volumes that are not there.
    pub fn check(&self, spec: &RoleSpec, role: Role) -> Vec<Problem> {
        let template = spec.template.as_ref().map(|template| &template.json["spec"]["volumes"]);
        let in_template =
            |name: &str| template.and_then(Value::as_array).into_iter().flatten().any(|volume| volume["name"] == name);
        let mut problems = Vec::new();
        for (index, mount) in spec.volume_mounts.iter().enumerate() {
            let name = mount.text("name");
            let path = format!("spec.{}.volumeMounts[{index}].name", role.word());
            match self.find(name) {
                None if in_template(name) => {}
                None => {
                    let known: Vec<&str> = self.0.iter().map(|volume| volume.text("name")).collect();
                    let help = match crate::diagnostic::nearest(name, known.iter().copied()) {
                        Some(word) => format!("did you mean `{word}`?"),
                        None => "add it to `spec.volumes`, or to the volumes of the role's template".to_owned(),
                    };
                    problems.push(Problem::error(format!("no volume is called `{name}`")).at_field(path).help(help));
                }
                Some(volume) if name.starts_with(SCRATCH_PREFIX) && scratch(volume).is_none() => problems.push(
                    Problem::error(format!("`{name}` is scratch space by its name, which Spark takes from emptyDir, hostPath, nfs or persistentVolumeClaim"))
                        .at_field(path)
                        .help("give the volume another name to mount it as any other"),
                ),
                Some(_) => {}
            }
        }
        problems
    }
}

/// The kind of a scratch volume as Spark names it, and its options.
fn scratch(volume: &Embedded<api::Volume>) -> Option<(&'static str, &Value)> {
    ["emptyDir", "hostPath", "nfs", "persistentVolumeClaim"]
        .into_iter()
        .find_map(|kind| Some((kind, volume.json.get(kind)?)))
}

fn mounts(container: &Value) -> impl Iterator<Item = &str> {
    let mounts = container["volumeMounts"].as_array().into_iter().flatten();
    mounts.filter_map(|mount| mount["name"].as_str())
}
