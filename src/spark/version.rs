//! The versions of Spark, and what each of them changes in translation.
//!
//! A new version of Spark is added here: [`Version::ALL`], and a [`Change`] for each thing that it does differently.

/// Major and minor version of Spark. Patch releases create the same objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

impl Version {
    /// All supported versions, the oldest first. Submissions of each were compared with those of real spark-submit.
    pub const ALL: [Version; 10] = [
        Version(3, 0),
        Version(3, 1),
        Version(3, 2),
        Version(3, 3),
        Version(3, 4),
        Version(3, 5),
        Version(4, 0),
        Version(4, 1),
        Version(4, 2),
        Version(4, 3),
    ];
    /// The version assumed where `sparkVersion` names none: the last 3.x, whose objects every later version accepts.
    pub const ASSUMED: Version = Version(3, 5);
    pub const OLDEST: Version = Self::ALL[0];
    pub const NEWEST: Version = Self::ALL[Self::ALL.len() - 1];

    /// Whether this version has the change: it came with this version or an earlier one.
    pub fn has(self, change: Change) -> bool {
        self >= change.since()
    }

    /// Reads `3.5.1`, `v3.5`, `3.5.1-scala2.12`: users write the tag of their image.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.trim().trim_start_matches(['v', 'V']).splitn(3, '.');
        let number = |part: &str| {
            let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        };
        Some(Self(number(numbers.next()?)?, number(numbers.next()?)?))
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// Declares [`Change`], each with the version that brought it.
macro_rules! changes {
    ($( $(#[$doc:meta])* $change:ident since $major:literal, $minor:literal; )*) => {
        /// Something that a version of Spark does differently from those before it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Change { $( $(#[$doc])* $change, )* }

        impl Change {
            /// All changes, in the order of the versions that brought them.
            #[cfg(test)]
            pub const ALL: &[Change] = &[$( Self::$change, )*];

            /// The first version with this change.
            pub fn since(self) -> Version {
                match self { $( Self::$change => Version($major, $minor), )* }
            }
        }
    };
}

changes! {
    /// Files of Spark's configuration directory go to the driver in its ConfigMap.
    ///
    /// Source: `KubernetesClientUtils.loadSparkConfDirFiles`.
    ConfDirFiles since 3, 1;
    /// The driver runs `--proxy-user`.
    ///
    /// Source: `DriverCommandFeatureStep`.
    ProxyUser since 3, 1;
    /// Volumes can be of type `nfs`.
    ///
    /// Source: `KubernetesVolumeUtils`.
    NfsVolumes since 3, 1;
    /// Executors have a service account by a setting. Before, only their pod template gives them one.
    ///
    /// Source: `ExecutorKubernetesCredentialsFeatureStep`.
    ExecutorServiceAccount since 3, 1;
    /// Python is always Python 3. Before, a variable of the driver selects Python 2 or 3.
    ///
    /// Source: `spark.kubernetes.pyspark.pythonVersion` in `Config.scala`.
    OnlyPython3 since 3, 1;
    /// `spark.kubernetes.ROLE.node.selector.*` select nodes for one role.
    ///
    /// Source: `BasicDriverFeatureStep` and `BasicExecutorFeatureStep`.
    NodeSelectorOfRole since 3, 3;
    /// Settings name the scheduler of both roles. Before, executors' is in their pod template.
    ///
    /// Source: `spark.kubernetes.scheduler.name` in `Config.scala`.
    SchedulerName since 3, 3;
    /// Pods have the labels `spark-app-name` and `spark-version`.
    ///
    /// Source: `KubernetesDriverConf.labels` and `KubernetesExecutorConf.labels`.
    NameAndVersionLabels since 3, 3;
    /// `spark.app.submitTime` is set.
    ///
    /// Source: `SparkSubmit.prepareSubmitEnvironment`.
    SubmitTime since 3, 3;
    /// `{{APP_ID}}` is replaced in annotations.
    ///
    /// Source: `KubernetesDriverConf.annotations`.
    IdInAnnotations since 3, 3;
    /// `spark.ROLE.memoryOverheadFactor` overrides the factor of both roles.
    ///
    /// Source: `BasicDriverFeatureStep` and `ResourceProfile`.
    OverheadFactorOfRole since 3, 3;
    /// The files of a ConfigMap have 1 MiB at most by default, before 1.5 MiB.
    ///
    /// Source: `spark.kubernetes.configMap.maxSize` in `Config.scala`.
    SmallerConfigMaps since 3, 3;
    /// The driver's ConfigMap contains the namespace.
    ///
    /// Source: `KubernetesClientUtils.buildSparkConfDirFilesMap`.
    NamespaceInConfigMap since 3, 3;
    /// The prefix of executors' names is checked.
    ///
    /// Source: `spark.kubernetes.executor.podNamePrefix` in `Config.scala`.
    CheckedExecutorPrefix since 3, 3;
    /// The driver's Service has IP families.
    ///
    /// Source: `DriverServiceFeatureStep`.
    IpFamilies since 3, 4;
    /// The driver's Service has labels by settings.
    ///
    /// Source: `DriverServiceFeatureStep`.
    ServiceLabels since 3, 4;
    /// Executors mount the ConfigMap with Hadoop's configuration.
    ///
    /// Source: `HadoopConfExecutorFeatureStep`.
    HadoopConfOfExecutors since 3, 5;
    /// `{{APP_ID}}` is replaced in labels.
    ///
    /// Source: `KubernetesDriverConf.labels`.
    IdInLabels since 4, 0;
    /// `spark.ROLE.minMemoryOverhead` sets the least memory outside of the heap.
    ///
    /// Source: `BasicDriverFeatureStep` and `ResourceProfile`.
    MinimumOverhead since 4, 0;
    /// Mounts have a `subPathExpr`.
    ///
    /// Source: `MountVolumesFeatureStep`.
    SubPathExpr since 4, 0;
    /// Volumes of type `hostPath` have the type of the path by a setting.
    ///
    /// Source: `MountVolumesFeatureStep`.
    HostPathType since 4, 0;
    /// Claims made on demand are for one pod, before for one node.
    ///
    /// Source: `MountVolumesFeatureStep`.
    ReadWriteOncePod since 4, 0;
    /// Claims made on demand have labels and annotations by settings.
    ///
    /// Source: `MountVolumesFeatureStep`.
    ClaimLabels since 4, 0;
    /// spark-submit has the flag `--load-spark-defaults`.
    ///
    /// Source: `SparkSubmitArguments`.
    LoadSparkDefaults since 4, 0;
    /// The driver has a port for Spark Connect.
    ///
    /// Source: `BasicDriverFeatureStep` and `DriverServiceFeatureStep`.
    ConnectPort since 4, 1;
    /// `{{SPARK_VERSION}}` is replaced in the name of the image.
    ///
    /// Source: `KubernetesConf.image`.
    VersionInImage since 4, 1;
    /// Executors' grace period comes from a setting, whatever their pod template says.
    ///
    /// Source: `BasicExecutorFeatureStep`.
    ExecutorGracePeriod since 4, 1;
    /// Feature steps can be excluded.
    ///
    /// Source: `spark.kubernetes.driver.pod.excludedFeatureSteps` in `Config.scala`.
    ExcludedFeatureSteps since 4, 1;
    /// A NetworkPolicy lets executors be reached from their own application only.
    ///
    /// Source: `NetworkPolicyFeatureStep`.
    NetworkPolicy since 4, 2;
    /// The Service's port for Spark Connect has the protocol `grpc`.
    ///
    /// Source: `DriverServiceFeatureStep`.
    ConnectProtocol since 4, 2;
    /// Amounts of memory can have the units `kib`, `mib`, `gib`.
    ///
    /// Source: `JavaUtils.byteStringAs`.
    BinaryUnits since 4, 2;
    /// Containers have `allowPrivilegeEscalation`, false by default.
    ///
    /// Source: `BasicDriverFeatureStep` and `BasicExecutorFeatureStep`.
    PrivilegeEscalation since 4, 3;
    /// The driver's Service has `publishNotReadyAddresses`.
    ///
    /// Source: `DriverServiceFeatureStep`.
    NotReadyAddresses since 4, 3;
}

#[cfg(test)]
mod tests {
    use super::{Change, Version};

    #[test]
    fn versions_and_changes_are_in_order() {
        assert!(Version::ALL.is_sorted() && Change::ALL.is_sorted_by_key(|change| change.since()));
        assert!(Change::ALL.iter().all(|change| Version::ALL[1..].contains(&change.since())));
    }

    #[test]
    fn reads_what_people_write() {
        assert_eq!(Version::parse("3.0.0"), Some(Version(3, 0)));
        assert_eq!(Version::parse("v3.5.1-scala2.12-java17"), Some(Version(3, 5)));
        assert_eq!(Version::parse("4.1"), Some(Version(4, 1)));
        assert_eq!(Version::parse("latest"), None);
        assert_eq!(Version::parse("3"), None);
        assert!(Version(3, 10) > Version(3, 9));
    }
}
