//! Settings of Spark that a job may give: which have an effect here, and which do not.

use crate::spark::Version;

/// Prefixes of families of settings.
const FAMILIES: [&str; 21] = [
    "spark.kubernetes.node.selector.",
    "spark.kubernetes.driver.node.selector.",
    "spark.kubernetes.executor.node.selector.",
    "spark.kubernetes.driver.label.",
    "spark.kubernetes.driver.annotation.",
    "spark.kubernetes.executor.label.",
    "spark.kubernetes.executor.annotation.",
    "spark.kubernetes.driver.service.label.",
    "spark.kubernetes.driver.service.annotation.",
    "spark.kubernetes.driverEnv.",
    "spark.kubernetes.driver.secrets.",
    "spark.kubernetes.executor.secrets.",
    "spark.kubernetes.driver.secretKeyRef.",
    "spark.kubernetes.executor.secretKeyRef.",
    "spark.kubernetes.driver.volumes.",
    "spark.kubernetes.executor.volumes.",
    "spark.kubernetes.authenticate.",
    "spark.kubernetes.allocation.",
    "spark.kubernetes.kerberos.",
    "spark.kubernetes.executor.pvc.",
    "spark.kubernetes.operator.",
];

/// Settings of Spark on Kubernetes, each with the version from which it is known.
const KNOWN: [(&str, Version); 68] = [
    ("spark.kubernetes.appKillPodDeletionGracePeriod", Version(3, 0)),
    ("spark.kubernetes.configMap.maxSize", Version(3, 1)),
    ("spark.kubernetes.container.image", Version(3, 0)),
    ("spark.kubernetes.container.image.pullPolicy", Version(3, 0)),
    ("spark.kubernetes.container.image.pullSecrets", Version(3, 0)),
    ("spark.kubernetes.context", Version(3, 0)),
    ("spark.kubernetes.decommission.script", Version(3, 2)),
    ("spark.kubernetes.driver.annotateExitException", Version(4, 1)),
    ("spark.kubernetes.driver.connectionTimeout", Version(3, 0)),
    ("spark.kubernetes.driver.container.image", Version(3, 0)),
    ("spark.kubernetes.driver.limit.cores", Version(3, 0)),
    ("spark.kubernetes.driver.master", Version(3, 0)),
    ("spark.kubernetes.driver.ownPersistentVolumeClaim", Version(3, 2)),
    ("spark.kubernetes.driver.pod.excludedFeatureSteps", Version(4, 1)),
    ("spark.kubernetes.driver.pod.featureSteps", Version(3, 2)),
    ("spark.kubernetes.driver.pod.name", Version(3, 0)),
    ("spark.kubernetes.driver.podTemplateContainerName", Version(3, 0)),
    ("spark.kubernetes.driver.podTemplateFile", Version(3, 0)),
    ("spark.kubernetes.driver.request.cores", Version(3, 0)),
    ("spark.kubernetes.driver.requestTimeout", Version(3, 0)),
    ("spark.kubernetes.driver.resourceNamePrefix", Version(3, 0)),
    ("spark.kubernetes.driver.reusePersistentVolumeClaim", Version(3, 2)),
    ("spark.kubernetes.driver.scheduler.name", Version(3, 3)),
    ("spark.kubernetes.driver.securityContext.allowPrivilegeEscalation", Version(4, 3)),
    ("spark.kubernetes.driver.service.deleteOnTermination", Version(3, 2)),
    ("spark.kubernetes.driver.service.ipFamilies", Version(3, 4)),
    ("spark.kubernetes.driver.service.ipFamilyPolicy", Version(3, 4)),
    ("spark.kubernetes.driver.service.publishNotReadyAddresses", Version(4, 3)),
    ("spark.kubernetes.driver.waitToReusePersistentVolumeClaim", Version(3, 4)),
    ("spark.kubernetes.dynamicAllocation.deleteGracePeriod", Version(3, 0)),
    ("spark.kubernetes.executor.apiPollingInterval", Version(3, 0)),
    ("spark.kubernetes.executor.checkAllContainers", Version(3, 1)),
    ("spark.kubernetes.executor.container.image", Version(3, 0)),
    ("spark.kubernetes.executor.decommissionLabel", Version(3, 3)),
    ("spark.kubernetes.executor.decommissionLabelValue", Version(3, 3)),
    ("spark.kubernetes.executor.deleteOnTermination", Version(3, 0)),
    ("spark.kubernetes.executor.deletedExecutorsCacheTimeout", Version(4, 1)),
    ("spark.kubernetes.executor.disableConfigMap", Version(3, 2)),
    ("spark.kubernetes.executor.enableApiPolling", Version(3, 4)),
    ("spark.kubernetes.executor.enableApiWatcher", Version(3, 4)),
    ("spark.kubernetes.executor.enablePollingWithResourceVersion", Version(3, 3)),
    ("spark.kubernetes.executor.eventProcessingInterval", Version(3, 0)),
    ("spark.kubernetes.executor.hadoopConfigMapName", Version(3, 5)),
    ("spark.kubernetes.executor.limit.cores", Version(3, 0)),
    ("spark.kubernetes.executor.lostCheck.maxAttempts", Version(3, 0)),
    ("spark.kubernetes.executor.minTasksPerExecutorBeforeRolling", Version(3, 3)),
    ("spark.kubernetes.executor.missingPodDetectDelta", Version(3, 0)),
    ("spark.kubernetes.executor.pod.excludedFeatureSteps", Version(4, 1)),
    ("spark.kubernetes.executor.pod.featureSteps", Version(3, 2)),
    ("spark.kubernetes.executor.podDeletionCost", Version(4, 2)),
    ("spark.kubernetes.executor.podNamePrefix", Version(3, 0)),
    ("spark.kubernetes.executor.podTemplateContainerName", Version(3, 0)),
    ("spark.kubernetes.executor.podTemplateFile", Version(3, 0)),
    ("spark.kubernetes.executor.request.cores", Version(3, 0)),
    ("spark.kubernetes.executor.resizeFactor", Version(4, 2)),
    ("spark.kubernetes.executor.resizeInterval", Version(4, 2)),
    ("spark.kubernetes.executor.resizeThreshold", Version(4, 2)),
    ("spark.kubernetes.executor.rollInterval", Version(3, 3)),
    ("spark.kubernetes.executor.rollPolicy", Version(3, 3)),
    ("spark.kubernetes.executor.scheduler.name", Version(3, 0)),
    ("spark.kubernetes.executor.securityContext.allowPrivilegeEscalation", Version(4, 3)),
    ("spark.kubernetes.executor.terminationGracePeriodSeconds", Version(4, 1)),
    ("spark.kubernetes.executor.useDriverPodIP", Version(4, 1)),
    ("spark.kubernetes.executorSnapshotsSubscribersShutdownGracePeriod", Version(3, 4)),
    ("spark.kubernetes.file.upload.path", Version(3, 0)),
    ("spark.kubernetes.hadoop.configMapName", Version(3, 0)),
    ("spark.kubernetes.jars.avoidDownloadSchemes", Version(4, 0)),
    ("spark.kubernetes.local.dirs.tmpfs", Version(3, 0)),
];

/// The rest of the known settings: those of both roles and of the submission.
const KNOWN_TOO: [(&str, Version); 13] = [
    ("spark.kubernetes.legacy.useReadWriteOnceAccessMode", Version(3, 4)),
    ("spark.kubernetes.memoryOverheadFactor", Version(3, 0)),
    ("spark.kubernetes.namespace", Version(3, 0)),
    ("spark.kubernetes.pyspark.pythonVersion", Version(3, 0)),
    ("spark.kubernetes.report.interval", Version(3, 0)),
    ("spark.kubernetes.resource.type", Version(3, 0)),
    ("spark.kubernetes.scheduler.name", Version(3, 3)),
    ("spark.kubernetes.securityContext.allowPrivilegeEscalation", Version(4, 3)),
    ("spark.kubernetes.submission.connectionTimeout", Version(3, 0)),
    ("spark.kubernetes.submission.requestTimeout", Version(3, 0)),
    ("spark.kubernetes.submission.waitAppCompletion", Version(3, 0)),
    ("spark.kubernetes.submitInDriver", Version(3, 0)),
    ("spark.kubernetes.trust.certificates", Version(3, 2)),
];

/// What is known of a setting of Spark on Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    Since(Version),
    /// Unknown, with the nearest known one.
    No(Option<&'static str>),
}

/// Looks up a key that begins with `spark.kubernetes.`.
pub fn known(key: &str) -> Known {
    if FAMILIES.iter().any(|family| key.starts_with(family)) {
        return Known::Since(Version::OLDEST);
    }
    let all = || KNOWN.iter().chain(&KNOWN_TOO);
    match all().find(|(known, _)| *known == key) {
        Some((_, version)) => Known::Since(*version),
        None => Known::No(crate::diagnostic::nearest(key, all().map(|(known, _)| *known))),
    }
}
