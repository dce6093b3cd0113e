//! Real settings of Spark 3.0 to 4.3 in `sparkConf`: mistakes are reported in the right words, and what is right is not.

use serde_json::{Map, Value, json};

use crate::diagnostic::Problem;
use crate::job::{Variables, read};
use crate::spark::Version;
use crate::spark::catalog::registry::{self, Form, Setting};
use crate::spark::catalog::{self, Effect};

/// The problems of a job with these settings.
fn problems(version: Version, settings: &[(&str, &str)]) -> Vec<Problem> {
    let conf: Map<String, Value> = settings.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    let document = json!({
        "apiVersion": "sparkoperator.k8s.io/v1beta2",
        "kind": "SparkApplication",
        "metadata": {"name": "a"},
        "spec": {
            "sparkVersion": format!("{version}.0"),
            "image": "i",
            "mainClass": "a.B",
            "mainApplicationFile": "local:///a.jar",
            "sparkConf": conf,
        },
    });
    let (jobs, problems) = read(&document.to_string(), &Variables::default());
    assert_eq!(problems, []);
    jobs[0].check("default")
}

/// Checks that each setting is reported once, by a warning at its place in the words expected.
fn each_is_reported(mistakes: &[(&str, &str, &str, &str)]) {
    for (version, key, value, words) in mistakes {
        let version = Version::parse(version).unwrap_or_else(|| panic!("{version}"));
        let problems = problems(version, &[(key, value)]);
        let [problem] = &problems[..] else { panic!("Spark {version}, {key}: {problems:?}") };
        let text = problem.text("f", "");
        assert!(!problem.is_error() && text.contains(words), "Spark {version}, {key}: {text}");
        assert_eq!(problem.path, format!("spec.sparkConf.{key}"));
    }
}

const MISSPELT: [(&str, &str, &str, &str); 40] = [
    ("4.1", "spark.executor.memoryy", "1g", "did you mean `spark.executor.memory`?"),
    ("3.0", "spark.exector.memory", "1g", "did you mean `spark.executor.memory`?"),
    ("4.1", "spark.executor.instance", "2", "did you mean `spark.executor.instances`?"),
    ("4.1", "spark.executor.num", "2", "did you mean `spark.executor.instances`?"),
    ("4.1", "spark.num.executors", "2", "did you mean `spark.executor.instances`?"),
    ("4.1", "spark.executor.core", "2", "did you mean `spark.executor.cores`?"),
    ("4.1", "spark.kubernetes.executor.cores", "2", "did you mean `spark.executor.cores`?"),
    ("4.1", "spark.kubernetes.driver.memory", "1g", "did you mean `spark.driver.memory`?"),
    ("4.1", "spark.executor.memory.overhead", "1g", "did you mean `spark.executor.memoryOverhead`?"),
    ("4.1", "spark.driver.maxResultsSize", "1g", "did you mean `spark.driver.maxResultSize`?"),
    ("3.3", "spark.driver.javaOptions", "-Dx", "did you mean `spark.driver.extraJavaOptions`?"),
    ("3.5", "spark.dynamicAllocaton.enabled", "true", "did you mean `spark.dynamicAllocation.enabled`?"),
    ("3.5", "spark.dynamicAllocation.enable", "true", "did you mean `spark.dynamicAllocation.enabled`?"),
    ("3.5", "spark.dynamicAllocation.maxExecutor", "2", "did you mean `spark.dynamicAllocation.maxExecutors`?"),
    ("3.1", "spark.sql.shufle.partitions", "2", "did you mean `spark.sql.shuffle.partitions`?"),
    ("3.2", "spark.sql.shuffle.partition", "2", "did you mean `spark.sql.shuffle.partitions`?"),
    ("3.4", "spark.sql.adaptive.enable", "true", "did you mean `spark.sql.adaptive.enabled`?"),
    ("4.3", "spark.sql.autoBrodcastJoinThreshold", "1", "did you mean `spark.sql.autoBroadcastJoinThreshold`?"),
    ("4.2", "spark.sql.sesion.timeZone", "UTC", "did you mean `spark.sql.session.timeZone`?"),
    ("4.2", "spark.sql.warehous.dir", "/x", "did you mean `spark.sql.warehouse.dir`?"),
    ("4.2", "spark.sql.extension", "a.B", "did you mean `spark.sql.extensions`?"),
    ("4.0", "spark.serialiser", "a.B", "did you mean `spark.serializer`?"),
    ("4.0", "spark.evenLog.enabled", "true", "did you mean `spark.eventLog.enabled`?"),
    ("4.0", "spark.network.timeot", "1s", "did you mean `spark.network.timeout`?"),
    ("3.0", "spark.memory.fracton", "0.5", "did you mean `spark.memory.fraction`?"),
    ("4.1", "spark.specualtion", "true", "did you mean `spark.speculation`?"),
    ("4.1", "spark.kubernetes.image", "i", "did you mean `spark.kubernetes.container.image`?"),
    ("4.1", "spark.kubernetes.container.imge", "i", "did you mean `spark.kubernetes.container.image`?"),
    (
        "4.1",
        "spark.kubernetes.container.imagePullPolicy",
        "x",
        "did you mean `spark.kubernetes.container.image.pullPolicy`?",
    ),
    ("4.1", "spark.kubernetes.driver.podTemplatFile", "x", "did you mean `spark.kubernetes.driver.podTemplateFile`?"),
    (
        "4.1",
        "spark.kubernetes.driver.serviceAccountName",
        "x",
        "did you mean `spark.kubernetes.authenticate.driver.serviceAccountName`?",
    ),
    ("4.1", "spark.kubernetes.nodeSelector.disk", "x", "did you mean `spark.kubernetes.node.selector.disk`?"),
    ("4.1", "spark.kubernetes.driver.labels.team", "x", "did you mean `spark.kubernetes.driver.label.team`?"),
    ("4.1", "spark.kubernetes.executor.annotations.a", "x", "did you mean `spark.kubernetes.executor.annotation.a`?"),
    ("4.1", "spark.kubernetes.executorEnv.TZ", "x", "did you mean `spark.executorEnv.TZ`?"),
    ("4.1", "spark.driver.env.TZ", "x", "did you mean `spark.kubernetes.driverEnv.TZ`?"),
    ("4.1", "spark.pyFiles", "x", "did you mean `spark.submit.pyFiles`?"),
    ("4.1", "spark.packages", "a:b:1", "did you mean `spark.jars.packages`?"),
    ("4.1", "spark.default_parallelism", "2", "did you mean `spark.default.parallelism`?"),
    ("4.1", "spark.kubernetes.what.is.this", "x", "unknown Spark setting"),
];

const OUTDATED: [(&str, &str, &str, &str); 20] = [
    ("4.1", "spark.blacklist.enabled", "true", "use `spark.excludeOnFailure.enabled`"),
    (
        "4.1",
        "spark.blacklist.task.maxTaskAttemptsPerNode",
        "2",
        "use `spark.excludeOnFailure.task.maxTaskAttemptsPerNode`",
    ),
    ("4.2", "spark.blacklist.stage.maxFailedTasksPerExecutor", "2", "Spark 4.0 was the last version"),
    ("4.3", "spark.scheduler.blacklist.unschedulableTaskSetTimeout", "1s", "Spark 4.0 was the last version"),
    ("3.4", "spark.akka.frameSize", "1", "use `spark.rpc.message.maxSize`"),
    ("3.5", "spark.akka.num.retries", "1", "use `spark.rpc.numRetries`"),
    ("3.4", "spark.rpc.numRetries", "1", "Spark 3.3 was the last version"),
    (
        "4.0",
        "spark.sql.legacy.avro.datetimeRebaseModeInRead",
        "LEGACY",
        "use `spark.sql.avro.datetimeRebaseModeInRead`",
    ),
    (
        "4.0",
        "spark.sql.legacy.avro.datetimeRebaseModeInWrite",
        "LEGACY",
        "use `spark.sql.avro.datetimeRebaseModeInWrite`",
    ),
    (
        "4.1",
        "spark.sql.legacy.parquet.int96RebaseModeInRead",
        "LEGACY",
        "use `spark.sql.parquet.int96RebaseModeInRead`",
    ),
    (
        "4.1",
        "spark.sql.legacy.parquet.int96RebaseModeInWrite",
        "LEGACY",
        "use `spark.sql.parquet.int96RebaseModeInWrite`",
    ),
    ("3.1", "spark.sql.optimizer.planChangeLog.level", "warn", "use `spark.sql.planChangeLog.level`"),
    ("4.3", "spark.connect.copyFromLocalToFs.allowDestLocal", "true", "Spark 4.2 was the last version"),
    ("4.0", "spark.sql.hive.verifyPartitionPath", "true", "use `spark.sql.files.ignoreMissingFiles`"),
    ("3.3", "spark.kubernetes.executor.lostCheck.maxAttempts", "3", "Spark 3.2 was the last version"),
    ("3.2", "spark.storage.safetyFraction", "0.9", "Spark 3.1 was the last version"),
    ("3.4", "spark.sql.ansi.strictIndexOperator", "true", "Spark 3.3 was the last version"),
    ("4.3", "spark.sql.streaming.join.stateFormatV4.enabled", "true", "Spark 4.2 was the last version"),
    ("4.0", "spark.mesos.driver.memoryOverhead", "1", "Spark 3.5 was the last version"),
    ("3.0", "spark.sql.parquet.int64AsTimestampMillis", "true", "use `spark.sql.parquet.outputTimestampType`"),
];

const EARLY: [(&str, &str, &str, &str); 20] = [
    ("3.0", "spark.decommission.enabled", "true", "exists since Spark 3.1"),
    ("3.0", "spark.executor.metrics.fileSystemSchemes", "file", "exists since Spark 3.1"),
    ("3.0", "spark.kubernetes.configMap.maxSize", "1000", "exists since Spark 3.1"),
    ("3.1", "spark.kubernetes.decommission.script", "x", "exists since Spark 3.2"),
    ("3.2", "spark.shuffle.push.merge.finalizeThreads", "2", "exists since Spark 3.3"),
    ("3.2", "spark.kubernetes.executor.rollInterval", "1s", "exists since Spark 3.3"),
    ("3.2", "spark.kubernetes.driver.node.selector.disk", "x", "exists since Spark 3.3"),
    ("3.3", "spark.kubernetes.driver.service.label.team", "x", "exists since Spark 3.4"),
    ("3.3", "spark.kubernetes.driver.service.ipFamilyPolicy", "SingleStack", "exists since Spark 3.4"),
    ("3.3", "spark.sql.sources.v2.bucketing.pushPartValues.enabled", "true", "exists since Spark 3.4"),
    ("3.4", "spark.sql.execution.pyspark.python", "python3", "exists since Spark 3.5"),
    ("3.3", "spark.kubernetes.executor.enableApiWatcher", "true", "exists since Spark 3.4"),
    ("3.5", "spark.driver.minMemoryOverhead", "1g", "exists since Spark 4.0"),
    ("3.5", "spark.driver.timeout", "1min", "exists since Spark 4.0"),
    ("3.5", "spark.kubernetes.jars.avoidDownloadSchemes", "http", "exists since Spark 4.0"),
    ("4.0", "spark.eventLog.excludedPatterns", "x", "exists since Spark 4.1"),
    ("4.0", "spark.sql.unionOutputPartitioning", "true", "exists since Spark 4.1"),
    ("4.1", "spark.kubernetes.executor.resizeFactor", "0.1", "exists since Spark 4.2"),
    ("4.2", "spark.shuffle.streaming.checksum.enabled", "true", "exists since Spark 4.3"),
    ("4.2", "spark.sql.shuffle.spreadNullJoinKeys.enabled", "true", "exists since Spark 4.3"),
];

const MALFORMED: [(&str, &str, &str, &str); 22] = [
    ("4.1", "spark.sql.shuffle.partitions", "many", "integer, found `many`"),
    ("4.1", "spark.sql.shuffle.partitions", "200.5", "integer, found `200.5`"),
    ("4.1", "spark.sql.shuffle.partitions", "0", "positive integer"),
    ("4.1", "spark.sql.adaptive.enabled", "yes", "expected `true` or `false`, found `yes`"),
    ("4.1", "spark.sql.adaptive.enabled", "1", "expected `true` or `false`"),
    ("4.1", "spark.speculation", "on", "expected `true` or `false`"),
    ("4.1", "spark.eventLog.enabled", "ture", "expected `true` or `false`"),
    ("4.1", "spark.network.timeout", "2 minutes", "duration"),
    ("4.1", "spark.network.timeout", "120sec", "duration"),
    ("4.1", "spark.locality.wait", "3,5s", "duration"),
    ("4.1", "spark.dynamicAllocation.executorIdleTimeout", "1 hour", "duration"),
    ("4.1", "spark.driver.maxResultSize", "1.5g", "size"),
    ("4.1", "spark.driver.maxResultSize", "unlimited", "size"),
    ("4.1", "spark.kryoserializer.buffer.max", "64 megabytes", "size"),
    ("4.1", "spark.sql.autoBroadcastJoinThreshold", "10 MB of it", "size"),
    ("4.1", "spark.memory.fraction", "60%", "number"),
    ("4.1", "spark.memory.fraction", "0,6", "number"),
    ("4.1", "spark.task.cpus", "one", "number"),
    ("4.1", "spark.task.maxFailures", "four", "integer"),
    ("4.1", "spark.sql.parquet.compression.codec", "zipped", "expected one of"),
    ("4.1", "spark.sql.storeAssignmentPolicy", "relaxed", "expected one of"),
    ("3.5", "spark.kubernetes.executor.rollPolicy", "OLDEST", "expected one of"),
];

#[test]
fn misspelt_settings_are_reported_with_what_was_meant() {
    each_is_reported(&MISSPELT);
}

#[test]
fn settings_that_a_version_no_longer_has_are_reported() {
    each_is_reported(&OUTDATED);
}

#[test]
fn settings_that_a_version_does_not_have_yet_are_reported() {
    each_is_reported(&EARLY);
}

#[test]
fn values_of_the_wrong_form_are_reported() {
    each_is_reported(&MALFORMED);
}

/// A value that Spark accepts for the setting: its default, or a sample of the form.
fn sample(setting: &Setting) -> Option<&'static str> {
    match (setting.form, setting.default) {
        (_, Some(default)) if !default.starts_with('<') && !default.ends_with('…') => Some(default),
        (Form::Boolean, _) => Some("true"),
        (Form::Integer { .. } | Form::Long { .. }, _) => Some("1000"),
        (Form::Duration { .. }, _) => Some("10min"),
        (Form::Size { .. }, _) => Some("64m"),
        (Form::Number { .. }, _) => Some("1"),
        _ => None,
    }
}

/// Whether sparkctl has something else to say about the setting than that it is right.
fn is_spoken_of(key: &str) -> bool {
    let is_refused = catalog::row(key).is_some_and(|row| row.accepts.is_some() || row.effect != Effect::Applied);
    is_refused || catalog::is_secret(key) || key == "spark.driver.bindAddress"
}

#[test]
fn thousands_of_correct_settings_are_not_reported() {
    let mut checked = 0;
    for version in Version::ALL {
        let real = registry::all().filter(|setting| setting.exists_in(version) && !is_spoken_of(setting.key));
        let settings: Vec<(&str, &str)> = real.filter_map(|setting| Some((setting.key, sample(setting)?))).collect();
        checked += settings.len();
        let reported: Vec<String> = problems(version, &settings).iter().map(|problem| problem.text("f", "")).collect();
        assert_eq!(reported, [""; 0], "Spark {version}");
    }
    assert!(checked > 5000, "{checked}");
}

/// What a vendor or a library reads is none of Spark's settings, and right all the same.
#[test]
fn settings_of_others_are_not_reported() {
    let settings = [
        ("spark.acme.colour", "red"),
        ("spark.databricks.delta.optimizeWrite.enabled", "true"),
        ("spark.databricks.io.cache.enabled", "true"),
        ("spark.delta.logStore.class", "a.B"),
        ("spark.executorEnv.TZ", "UTC"),
        ("spark.hadoop.fs.s3a.endpoint", "http://x"),
        ("spark.hadoop.fs.s3a.committer.name", "magic"),
        ("spark.hadoop.hive.metastore.uris", "thrift://x"),
        ("spark.jars.ivySettings", "/x"),
        ("spark.kubernetes.driver.label.team", "a"),
        ("spark.kubernetes.executor.annotation.prometheus.io/port", "1"),
        ("spark.kubernetes.operator.reconciler.intervalSeconds", "1"),
        ("spark.metrics.conf.*.sink.prometheusServlet.class", "a.B"),
        ("spark.rapids.sql.enabled", "true"),
        ("spark.sql.catalog.lake", "org.apache.iceberg.spark.SparkCatalog"),
        ("spark.sql.catalog.lake.type", "rest"),
        ("spark.sql.catalog.lake.uri", "http://x"),
        ("spark.sql.iceberg.handle-timestamp-without-timezone", "true"),
        ("spark.sql.shuffle.partitions", "${spark.acme.colour}"),
        ("spark.sql.session.timeZone", "${env:TZ}"),
        ("spark.task.maxFailures", "${system:x}"),
        ("spark.comet.enabled", "true"),
        ("spark.gluten.enabled", "true"),
        ("spark.openlineage.transport.type", "http"),
        ("spark.hoodie.index.type", "BLOOM"),
        ("spark.mongodb.read.connection.uri", "mongodb://x"),
        ("spark.cassandra.connection.host", "x"),
        ("spark.es.nodes", "x"),
        ("spark.app.myOwn.setting", "1"),
    ];
    for version in Version::ALL {
        let reported: Vec<String> = problems(version, &settings).iter().map(|problem| problem.text("f", "")).collect();
        // `${spark.acme.colour}` is replaced before the form is checked.
        assert_eq!(reported.len(), 1, "Spark {version}: {reported:?}");
        assert!(reported[0].contains("integer, found `red`"), "{reported:?}");
    }
}
