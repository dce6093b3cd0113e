//! A test that walks all that versions of Spark change: each is seen from its version on, and never before.

use crate::job::{self, Job, Overrides, Submission, Variables};
use crate::spark::{Change, CommandLine, Conf, Version, conf_dir};

/// How a change is seen.
enum Seen {
    /// A job with these lines in its `spec` has this text in its objects.
    In(&'static str, &'static str),
    /// It has the text in its objects until then.
    NoLongerIn(&'static str, &'static str),
    /// Checking the job says this.
    Checked(&'static str, &'static str),
    /// Checking the job says this until then.
    NoLongerChecked(&'static str, &'static str),
    /// Otherwise than by a job.
    By(fn(Version) -> bool),
}

/// An example of each change.
#[rustfmt::skip]
fn example(change: Change) -> Seen {
    use Seen::{By, Checked, In, NoLongerChecked, NoLongerIn};
    match change {
        Change::ConfDirFiles => By(|version| !conf_files(10, version).files.is_empty()),
        Change::ProxyUser => In("proxyUser: jo", "--proxy-user"),
        Change::NfsVolumes => NoLongerChecked(
            "sparkConf: {spark.kubernetes.driver.volumes.nfs.v.mount.path: /v, spark.kubernetes.driver.volumes.nfs.v.options.path: /, \
             spark.kubernetes.driver.volumes.nfs.v.options.server: s}", "nfs volumes"),
        Change::ExecutorServiceAccount =>
            NoLongerIn("executor: {serviceAccount: sa}", r#"\"serviceAccountName\": \"sa\""#),
        Change::OnlyPython3 => NoLongerIn("pythonVersion: \"2\"", "PYSPARK_MAJOR_PYTHON_VERSION"),
        Change::NodeSelectorOfRole =>
            In("sparkConf: {spark.kubernetes.driver.node.selector.disk: ssd}", r#""nodeSelector":{"disk":"ssd"}"#),
        Change::SchedulerName => In("sparkConf: {spark.kubernetes.scheduler.name: mine}", r#""schedulerName":"mine""#),
        Change::NameAndVersionLabels => In("", r#""spark-app-name":"pi""#),
        Change::SubmitTime => In("", "spark.app.submitTime"),
        Change::IdInAnnotations => In("driver: {annotations: {id: \"{{APP_ID}}\"}}", r#""id":"spark-0123"#),
        Change::OverheadFactorOfRole =>
            In("sparkConf: {spark.driver.memory: 4g, spark.driver.memoryOverheadFactor: \"0.5\"}", "6144Mi"),
        Change::SmallerConfigMaps => By(|version| version.has(Change::ConfDirFiles) && conf_files(1_200_000, version).files.is_empty()),
        Change::NamespaceInConfigMap => In("", r#""spark.kubernetes.namespace":"jobs""#),
        Change::CheckedExecutorPrefix =>
            Checked("sparkConf: {spark.kubernetes.executor.podNamePrefix: No_Name}", "is not a prefix"),
        Change::IpFamilies => In("", r#""ipFamilies""#),
        Change::ServiceLabels => In("sparkConf: {spark.kubernetes.driver.service.label.team: etl}", r#""team":"etl""#),
        Change::HadoopConfOfExecutors =>
            In("sparkConf: {spark.kubernetes.hadoop.configMapName: map}", "spark.kubernetes.executor.hadoopConfigMapName"),
        Change::IdInLabels => In("driver: {labels: {id: \"{{APP_ID}}\"}}", r#""id":"spark-0123"#),
        Change::MinimumOverhead =>
            In("sparkConf: {spark.driver.memory: 1g, spark.driver.minMemoryOverhead: 600m}", "1624Mi"),
        Change::SubPathExpr => In("sparkConf: {spark.kubernetes.driver.volumes.emptyDir.v.mount.path: /v}", "subPathExpr"),
        Change::HostPathType => In(
            "sparkConf: {spark.kubernetes.driver.volumes.hostPath.v.mount.path: /v, \
             spark.kubernetes.driver.volumes.hostPath.v.options.path: /, \
             spark.kubernetes.driver.volumes.hostPath.v.options.type: Directory}", r#""type":"Directory""#),
        Change::ReadWriteOncePod => In(CLAIM, "ReadWriteOncePod"),
        Change::ClaimLabels => In(CLAIM, r#""team":"etl""#),
        Change::LoadSparkDefaults => By(|version| {
            let line = CommandLine::parse(["--load-spark-defaults", "a.py"].map(str::to_owned)).unwrap();
            line.check(version).is_ok()
        }),
        Change::ConnectPort => In("", "spark-connect"),
        Change::VersionInImage => In("driver: {image: \"spark:{{SPARK_VERSION}}\"}", r#""image":"spark:4."#),
        Change::ExecutorGracePeriod => In(
            "executor: {terminationGracePeriodSeconds: 5}", "spark.kubernetes.executor.terminationGracePeriodSeconds=5s"),
        Change::ExcludedFeatureSteps =>
            Checked("sparkConf: {spark.kubernetes.driver.pod.excludedFeatureSteps: a.Step}", "NetworkPolicyFeatureStep"),
        Change::NetworkPolicy => In("", r#""kind":"NetworkPolicy""#),
        Change::ConnectProtocol => In("", r#""appProtocol":"grpc""#),
        Change::BinaryUnits => NoLongerChecked("sparkConf: {spark.driver.memory: 1gib}", "the unit of"),
        Change::PrivilegeEscalation => In("", "allowPrivilegeEscalation"),
        Change::NotReadyAddresses => In("", "publishNotReadyAddresses"),
    }
}

const CLAIM: &str = "sparkConf: {spark.kubernetes.driver.volumes.persistentVolumeClaim.v.mount.path: /v, \
    spark.kubernetes.driver.volumes.persistentVolumeClaim.v.options.claimName: OnDemand, \
    spark.kubernetes.driver.volumes.persistentVolumeClaim.v.options.storageClass: fast, \
    spark.kubernetes.driver.volumes.persistentVolumeClaim.v.options.sizeLimit: 1Gi, \
    spark.kubernetes.driver.volumes.persistentVolumeClaim.v.label.team: etl}";

/// What a file of that size in Spark's configuration directory becomes.
fn conf_files(size: usize, version: Version) -> conf_dir::Selection {
    conf_dir::selection(vec![("log4j2.properties".into(), vec![b'x'; size])], &Conf::default(), version)
}

fn job(spec: &str, version: Version) -> Job {
    let main = match spec.contains("pythonVersion") {
        true => "mainApplicationFile: local:///pi.py",
        false => "mainClass: Pi\n  mainApplicationFile: local:///pi.jar",
    };
    let text = format!(
        "apiVersion: sparkoperator.k8s.io/v1beta2\nkind: SparkApplication\nmetadata:\n  name: pi\nspec:\n  \
         sparkVersion: {version}.0\n  image: spark\n  {main}\n  {spec}\n"
    );
    let (jobs, problems) = job::read(&text, &Variables::default());
    assert!(problems.iter().all(|problem| !problem.is_error()), "{spec}: {problems:?}");
    jobs.into_iter().next().expect("a job").with(Overrides::default())
}

/// The objects of a job with these lines in its `spec`.
fn objects(spec: &str, version: Version) -> String {
    let submission = Submission { id: "0123456789ab7def8123456789abcdef".into(), user: "jo".into(), key: None };
    let (manifests, _) = super::of(&job(spec, version), "jobs", &submission).expect("manifests");
    std::iter::once(manifests.carrier).chain(manifests.owned).map(|object| object.0.to_string()).collect()
}

/// The problems of a job with these lines in its `spec`.
fn problems(spec: &str, version: Version) -> String {
    job(spec, version).check("jobs").into_iter().map(|problem| problem.message + "\n").collect()
}

impl Seen {
    fn at(&self, version: Version) -> bool {
        match self {
            Seen::In(spec, text) => objects(spec, version).contains(text),
            Seen::NoLongerIn(spec, text) => !objects(spec, version).contains(text),
            Seen::Checked(spec, text) => problems(spec, version).contains(text),
            Seen::NoLongerChecked(spec, text) => !problems(spec, version).contains(text),
            Seen::By(seen) => seen(version),
        }
    }
}

#[test]
fn each_change_is_seen_from_its_version_on() {
    for change in Change::ALL {
        let seen = Version::ALL.map(|version| example(*change).at(version));
        let expected = Version::ALL.map(|version| version.has(*change));
        assert_eq!(seen, expected, "{change:?} since {}, in {:?}", change.since(), Version::ALL);
    }
}
