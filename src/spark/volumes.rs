//! Volumes and secrets that the settings mount.

use super::{Conf, Role};

/// Volumes whose names begin like this are for Spark's scratch files.
///
/// Source: `LocalDirsFeatureStep` of Spark.
pub const SCRATCH_PREFIX: &str = "spark-local-dir-";

/// A volume that the settings mount into the driver.
pub struct ConfVolume {
    /// `hostPath`, `emptyDir`, `nfs` or `persistentVolumeClaim`.
    pub kind: String,
    pub name: String,
    /// Where it is mounted.
    pub path: String,
    settings: Conf,
}

/// The volumes of `spark.kubernetes.driver.volumes.TYPE.NAME.…`, those with a mount path.
///
/// Source: `KubernetesVolumeUtils` of Spark.
pub fn of_driver(conf: &Conf) -> impl Iterator<Item = ConfVolume> {
    let prefix = "spark.kubernetes.driver.volumes.";
    let paths = conf.with_prefix(prefix).filter_map(|(key, path)| Some((key.strip_suffix(".mount.path")?, path)));
    paths.filter_map(move |(volume, path)| {
        let (kind, name) = volume.split_once('.')?;
        let settings = conf.with_prefix(prefix).filter_map(|(key, value)| {
            let rest = key.strip_prefix(volume)?.strip_prefix('.')?;
            Some((rest.to_owned(), value.to_owned()))
        });
        Some(ConfVolume { kind: kind.into(), name: name.into(), path: path.into(), settings: settings.collect() })
    })
}

impl ConfVolume {
    /// The setting `options.NAME` of the volume.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.settings.get(&format!("options.{name}"))
    }

    /// The setting `mount.NAME` of the volume.
    pub fn mount(&self, name: &str) -> Option<&str> {
        self.settings.get(&format!("mount.{name}"))
    }

    pub fn is_read_only(&self) -> bool {
        self.settings.is_true("mount.readOnly")
    }

    pub fn is_scratch(&self) -> bool {
        self.name.starts_with(SCRATCH_PREFIX)
    }

    /// The settings of the volume that begin with `prefix`, without it.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.settings.with_prefix(prefix)
    }
}

/// A Secret that the settings mount into a pod.
pub struct SecretMount<'a> {
    pub secret: &'a str,
    /// Name of the volume.
    pub volume: String,
    /// Where it is mounted.
    pub path: &'a str,
}

/// The Secrets of `spark.kubernetes.ROLE.secrets.NAME`.
///
/// Source: `MountSecretsFeatureStep` of Spark.
pub fn secrets(conf: &Conf, role: Role) -> Vec<SecretMount<'_>> {
    let prefix = match role {
        Role::Driver => "spark.kubernetes.driver.secrets.",
        Role::Executor => "spark.kubernetes.executor.secrets.",
    };
    let mounts = conf.with_prefix(prefix);
    mounts.map(|(secret, path)| SecretMount { secret, volume: format!("{secret}-volume"), path }).collect()
}
