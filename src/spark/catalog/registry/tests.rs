use super::*;

const DATA: &str = include_str!("settings.tsv");
const NEWEST: Version = Version::NEWEST;

/// A misspelt key, and the one that was meant.
const MISSPELT: [(&str, &str); 50] = [
    // A letter too many, too few, another one, or two swapped.
    ("spark.executor.memoryy", "spark.executor.memory"),
    ("spark.executor.memry", "spark.executor.memory"),
    ("spark.exector.memory", "spark.executor.memory"),
    ("spark.executor.meomry", "spark.executor.memory"),
    ("spark.excutor.instances", "spark.executor.instances"),
    ("spark.executor.instance", "spark.executor.instances"),
    ("spark.executor.core", "spark.executor.cores"),
    ("spark.driver.coress", "spark.driver.cores"),
    ("spark.drvier.memory", "spark.driver.memory"),
    ("spark.driver.maxResultsSize", "spark.driver.maxResultSize"),
    ("spark.driver.extraJavaOption", "spark.driver.extraJavaOptions"),
    ("spark.executor.extraJavaOpions", "spark.executor.extraJavaOptions"),
    ("spark.dynamicAllocaton.enabled", "spark.dynamicAllocation.enabled"),
    ("spark.dynamicAllocation.enable", "spark.dynamicAllocation.enabled"),
    ("spark.dynamicAllocation.maxExecutor", "spark.dynamicAllocation.maxExecutors"),
    ("spark.dynamicAllocation.minExecutros", "spark.dynamicAllocation.minExecutors"),
    ("spark.dynamicAllocation.executorIdleTimout", "spark.dynamicAllocation.executorIdleTimeout"),
    ("spark.sql.shufle.partitions", "spark.sql.shuffle.partitions"),
    ("spark.sql.shuffle.partition", "spark.sql.shuffle.partitions"),
    ("spark.sql.shuffel.partitons", "spark.sql.shuffle.partitions"),
    ("spark.sql.adaptive.enable", "spark.sql.adaptive.enabled"),
    ("spark.sql.adaptive.skewjoin.enbled", "spark.sql.adaptive.skewJoin.enabled"),
    ("spark.sql.adaptve.coalescePartitions.enabled", "spark.sql.adaptive.coalescePartitions.enabled"),
    ("spark.sql.autoBrodcastJoinThreshold", "spark.sql.autoBroadcastJoinThreshold"),
    ("spark.sql.broadcastTimeoutt", "spark.sql.broadcastTimeout"),
    ("spark.sql.files.maxPartitionByte", "spark.sql.files.maxPartitionBytes"),
    ("spark.sql.sesion.timeZone", "spark.sql.session.timeZone"),
    ("spark.sql.warehous.dir", "spark.sql.warehouse.dir"),
    ("spark.sql.extension", "spark.sql.extensions"),
    ("spark.serialiser", "spark.serializer"),
    ("spark.kryoserialiser.buffer.max", "spark.kryoserializer.buffer.max"),
    ("spark.evenLog.enabled", "spark.eventLog.enabled"),
    ("spark.network.timeot", "spark.network.timeout"),
    ("spark.memory.fracton", "spark.memory.fraction"),
    ("spark.specualtion", "spark.speculation"),
    ("spark.kubernetes.container.imge", "spark.kubernetes.container.image"),
    ("spark.kuberntes.namespace", "spark.kubernetes.namespace"),
    ("spark.kubernetes.driver.podTemplatFile", "spark.kubernetes.driver.podTemplateFile"),
    ("spark.kubernetes.executor.request.core", "spark.kubernetes.executor.request.cores"),
    // Case, and what separates words.
    ("spark.sql.shuffle.Partitions", "spark.sql.shuffle.partitions"),
    ("spark.dynamicallocation.enabled", "spark.dynamicAllocation.enabled"),
    ("spark.executor.memory-overhead", "spark.executor.memoryOverhead"),
    ("spark.executor.memory.overhead", "spark.executor.memoryOverhead"),
    ("spark.default_parallelism", "spark.default.parallelism"),
    ("spark.sql.session.timezone", "spark.sql.session.timeZone"),
    // The prefix of a family.
    ("spark.kubernetes.driver.lable.team", "spark.kubernetes.driver.label.team"),
    ("spark.kubernetes.executor.annotations.a/b", "spark.kubernetes.executor.annotation.a/b"),
    ("spark.executorenv.TZ", "spark.executorEnv.TZ"),
    ("spark.hadop.fs.s3a.endpoint", "spark.hadoop.fs.s3a.endpoint"),
    ("spark.sql.catalogs.lake", "spark.sql.catalog.lake"),
];

/// A key that Spark does not know and that no other one resembles, however long the prefix that they share.
const UNKNOWN: [&str; 12] = [
    "spark.kubernetes.banana",
    "spark.executor.foo",
    "spark.sql.shuffle.fruits",
    "spark.sql.adaptive.coalescePartitions.banana",
    "spark.kubernetes.driver.banana.team",
    "spark.dynamicAllocation.maxDrivers",
    "spark.executor.initMemory",
    "spark.kubernetes.executor.maxPods",
    "spark.live.config",
    "spark.databricks.delta.optimizeWrite.enabled",
    "spark.rapids.sql.enabled",
    "spark.acme.team",
];

/// A key, a version that no longer has it or discourages it, and what to use instead.
const OUTDATED: [(&str, Version, Option<&str>); 25] = [
    ("spark.yarn.executor.memoryOverhead", Version(3, 0), Some("spark.executor.memoryOverhead")),
    ("spark.yarn.driver.memoryOverhead", Version(3, 5), Some("spark.driver.memoryOverhead")),
    ("spark.yarn.keytab", Version(3, 5), Some("spark.kerberos.keytab")),
    ("spark.yarn.jar", Version(4, 3), Some("spark.yarn.jars")),
    ("spark.blacklist.enabled", Version(3, 1), Some("spark.excludeOnFailure.enabled")),
    ("spark.blacklist.timeout", Version(4, 1), Some("spark.excludeOnFailure.timeout")),
    ("spark.blacklist.killBlacklistedExecutors", Version(3, 5), Some("spark.excludeOnFailure.killExcludedExecutors")),
    ("spark.shuffle.spill", Version(3, 0), None),
    ("spark.shuffle.unsafe.file.output.buffer", Version(4, 0), Some("spark.shuffle.localDisk.file.output.buffer")),
    ("spark.executor.plugins", Version(3, 0), None),
    ("spark.akka.frameSize", Version(3, 0), Some("spark.rpc.message.maxSize")),
    ("spark.akka.askTimeout", Version(4, 0), Some("spark.rpc.askTimeout")),
    ("spark.reducer.maxMbInFlight", Version(3, 0), Some("spark.reducer.maxSizeInFlight")),
    ("spark.kryoserializer.buffer.mb", Version(3, 0), Some("spark.kryoserializer.buffer")),
    ("spark.unsafe.offHeap", Version(3, 0), Some("spark.memory.offHeap.enabled")),
    ("spark.cache.class", Version(3, 0), None),
    ("spark.storage.safetyFraction", Version(3, 2), None),
    ("spark.mesos.coarse", Version(4, 0), None),
    ("spark.sql.execution.arrow.enabled", Version(3, 0), Some("spark.sql.execution.arrow.pyspark.enabled")),
    (
        "spark.sql.adaptive.shuffle.targetPostShuffleInputSize",
        Version(3, 5),
        Some("spark.sql.adaptive.advisoryPartitionSizeInBytes"),
    ),
    ("spark.sql.parquet.int64AsTimestampMillis", Version(3, 0), Some("spark.sql.parquet.outputTimestampType")),
    ("spark.sql.legacy.avro.datetimeRebaseModeInRead", Version(4, 0), Some("spark.sql.avro.datetimeRebaseModeInRead")),
    ("spark.sql.hive.verifyPartitionPath", Version(4, 0), Some("spark.sql.files.ignoreMissingFiles")),
    ("spark.sql.optimizer.planChangeLog.level", Version(3, 1), Some("spark.sql.planChangeLog.level")),
    ("spark.sql.ansi.strictIndexOperator", Version(3, 4), None),
];

/// A key, the version before the one that introduced it, and that one.
const EARLY: [(&str, Version, Version); 25] = [
    ("spark.storage.decommission.enabled", Version(3, 0), Version(3, 1)),
    ("spark.decommission.enabled", Version(3, 0), Version(3, 1)),
    ("spark.excludeOnFailure.enabled", Version(3, 0), Version(3, 1)),
    ("spark.shuffle.push.enabled", Version(3, 0), Version(3, 1)),
    ("spark.kubernetes.configMap.maxSize", Version(3, 0), Version(3, 1)),
    ("spark.storage.decommission.fallbackStorage.path", Version(3, 0), Version(3, 1)),
    ("spark.executor.decommission.forceKillTimeout", Version(3, 1), Version(3, 2)),
    ("spark.kubernetes.driver.ownPersistentVolumeClaim", Version(3, 1), Version(3, 2)),
    ("spark.kubernetes.driver.reusePersistentVolumeClaim", Version(3, 1), Version(3, 2)),
    ("spark.kubernetes.allocation.maxPendingPods", Version(3, 1), Version(3, 2)),
    ("spark.kubernetes.scheduler.name", Version(3, 2), Version(3, 3)),
    ("spark.kubernetes.driver.scheduler.name", Version(3, 2), Version(3, 3)),
    ("spark.driver.memoryOverheadFactor", Version(3, 2), Version(3, 3)),
    ("spark.executor.memoryOverheadFactor", Version(3, 2), Version(3, 3)),
    ("spark.kubernetes.executor.rollPolicy", Version(3, 2), Version(3, 3)),
    ("spark.kubernetes.driver.service.ipFamilyPolicy", Version(3, 3), Version(3, 4)),
    ("spark.connect.grpc.binding.port", Version(3, 3), Version(3, 4)),
    ("spark.executor.maxNumFailures", Version(3, 4), Version(3, 5)),
    ("spark.log.level", Version(3, 4), Version(3, 5)),
    ("spark.executor.minMemoryOverhead", Version(3, 5), Version(4, 0)),
    ("spark.log.structuredLogging.enabled", Version(3, 5), Version(4, 0)),
    ("spark.kubernetes.allocation.maximum", Version(4, 0), Version(4, 1)),
    ("spark.driver.log.redirectConsoleOutputs", Version(4, 0), Version(4, 1)),
    ("spark.kubernetes.executor.pvc.resizeFactor", Version(4, 1), Version(4, 2)),
    ("spark.shuffle.streaming.networkBufferSize", Version(4, 2), Version(4, 3)),
];

/// A key, a value of the wrong form, and what is expected.
const MISTYPED: [(&str, &str, &str); 40] = [
    ("spark.executor.memory", "4gigs", "expected a size such as `512m` or `1g` (MiB without a unit)"),
    ("spark.executor.memory", "1.5g", "expected a size"),
    ("spark.executor.memory", "4 g", "expected a size"),
    ("spark.executor.memory", "lots", "expected a size"),
    ("spark.driver.memory", "", "expected a size"),
    ("spark.driver.memory", "+1g", "expected a size"),
    ("spark.driver.maxResultSize", "1gx", "expected a size"),
    ("spark.sql.autoBroadcastJoinThreshold", "10 MB", "expected a size"),
    ("spark.sql.autoBroadcastJoinThreshold", "off", "expected a size"),
    ("spark.kryoserializer.buffer.max", "64mbit", "expected a size"),
    ("spark.executor.cores", "two", "expected a 32-bit integer"),
    ("spark.executor.cores", "1.5", "expected a 32-bit integer"),
    ("spark.executor.instances", "5x", "expected a 32-bit integer"),
    ("spark.executor.instances", "3000000000", "expected a 32-bit integer"),
    ("spark.sql.shuffle.partitions", "many", "expected a positive integer"),
    ("spark.sql.shuffle.partitions", "0", "expected a positive integer"),
    ("spark.sql.shuffle.partitions", "-5", "expected a positive integer"),
    ("spark.kubernetes.allocation.batch.size", "0", "expected a positive integer"),
    ("spark.dynamicAllocation.maxExecutors", "unlimited", "expected a 32-bit integer"),
    ("spark.dynamicAllocation.enabled", "yes", "expected `true` or `false`"),
    ("spark.dynamicAllocation.enabled", "1", "expected `true` or `false`"),
    ("spark.eventLog.enabled", "on", "expected `true` or `false`"),
    ("spark.sql.adaptive.enabled", "", "expected `true` or `false`"),
    ("spark.sql.adaptive.enabled", "ture", "expected `true` or `false`"),
    ("spark.speculation", "enabled", "expected `true` or `false`"),
    ("spark.network.timeout", "2 minutes", "expected a duration such as `30s` or `5min` (seconds without a unit)"),
    ("spark.network.timeout", "120sec", "expected a duration"),
    ("spark.network.timeout", "1.5h", "expected a duration"),
    ("spark.executor.heartbeatInterval", "10 s", "expected a duration"),
    ("spark.locality.wait", "3secs", "expected a duration"),
    ("spark.dynamicAllocation.executorIdleTimeout", "-1s", "expected a non-negative duration"),
    ("spark.dynamicAllocation.executorIdleTimeout", "never", "expected a non-negative duration"),
    ("spark.memory.fraction", "60%", "expected a number"),
    ("spark.memory.fraction", "0,6", "expected a number"),
    ("spark.driver.memoryOverheadFactor", "ten", "expected a number"),
    ("spark.kubernetes.container.image.pullPolicy", "always", "expected one of `Always`, `IfNotPresent`, `Never`"),
    ("spark.sql.catalogImplementation", "glue", "expected one of `hive`, `in-memory`"),
    ("spark.sql.storeAssignmentPolicy", "LENIENT", "expected one of `ANSI`, `LEGACY`, `STRICT`"),
    ("spark.sql.parquet.compression.codec", "zip", "expected one of"),
    ("spark.kubernetes.executor.rollPolicy", "RANDOM", "expected one of"),
];

/// Keys and values as people write them.
const CORRECT: [(&str, &str); 51] = [
    ("spark.executor.memory", "4g"),
    ("spark.executor.memory", "4G"),
    ("spark.executor.memory", "4096"),
    ("spark.executor.memory", "4096mb"),
    ("spark.executor.memory", " 512m "),
    ("spark.driver.memory", "1t"),
    ("spark.driver.maxResultSize", "0"),
    ("spark.driver.maxResultSize", "2gb"),
    ("spark.executor.cores", "4"),
    ("spark.executor.instances", " 10 "),
    ("spark.task.cpus", "1"),
    ("spark.sql.shuffle.partitions", "2000"),
    ("spark.sql.autoBroadcastJoinThreshold", "-1"),
    ("spark.sql.autoBroadcastJoinThreshold", "104857600"),
    ("spark.sql.autoBroadcastJoinThreshold", "100MB"),
    ("spark.sql.adaptive.enabled", "TRUE"),
    ("spark.sql.adaptive.enabled", " false"),
    ("spark.sql.adaptive.skewJoin.skewedPartitionFactor", "5"),
    ("spark.sql.adaptive.advisoryPartitionSizeInBytes", "64m"),
    ("spark.sql.session.timeZone", "Europe/Berlin"),
    ("spark.sql.storeAssignmentPolicy", "legacy"),
    ("spark.sql.parquet.compression.codec", "ZSTD"),
    ("spark.sql.sources.partitionOverwriteMode", "dynamic"),
    ("spark.sql.catalogImplementation", "hive"),
    ("spark.sql.extensions", "org.example.Extensions,org.example.More"),
    ("spark.dynamicAllocation.executorIdleTimeout", "5min"),
    ("spark.dynamicAllocation.executorIdleTimeout", "60"),
    ("spark.dynamicAllocation.maxExecutors", "2147483647"),
    ("spark.network.timeout", "800s"),
    ("spark.network.timeout", "2H"),
    ("spark.executor.heartbeatInterval", "20000ms"),
    ("spark.locality.wait", "0"),
    ("spark.memory.fraction", ".8"),
    ("spark.memory.storageFraction", "5e-1"),
    ("spark.speculation.quantile", "0.9d"),
    ("spark.serializer", "org.apache.spark.serializer.KryoSerializer"),
    ("spark.jars.packages", "org.apache.hadoop:hadoop-aws:3.3.4"),
    ("spark.driver.extraJavaOptions", "-XX:+UseG1GC -Dlog4j.debug=true"),
    ("spark.eventLog.dir", "s3a://logs/spark"),
    ("spark.master", "k8s://https://example.org:6443"),
    ("spark.app.name", "pi"),
    ("spark.local.dir", "/scratch"),
    ("spark.driver.host", "pi-driver-svc"),
    ("spark.kubernetes.authenticate.driver.serviceAccountName", "spark"),
    ("spark.kubernetes.authenticate.submission.caCertFile", "/ca.crt"),
    ("spark.kubernetes.container.image.pullPolicy", "Always"),
    ("spark.kubernetes.executor.request.cores", "500m"),
    ("spark.shuffle.io.maxRetries", "10"),
    ("spark.rpc.io.serverThreads", "8"),
    ("spark.ssl.enabled", "true"),
    ("spark.python.profile", "true"),
];

/// Members of families.
const MEMBERS: [&str; 14] = [
    "spark.hadoop.fs.s3a.endpoint",
    "spark.hive.metastore.uris",
    "spark.executorEnv.PYTHONPATH",
    "spark.kubernetes.driverEnv.TZ",
    "spark.kubernetes.driver.label.app.kubernetes.io/name",
    "spark.kubernetes.driver.annotation.team",
    "spark.kubernetes.executor.secretKeyRef.TOKEN",
    "spark.kubernetes.executor.volumes.persistentVolumeClaim.data.mount.path",
    "spark.kubernetes.node.selector.disk",
    "spark.executor.resource.gpu.amount",
    "spark.task.resource.gpu.amount",
    "spark.sql.catalog.lake.warehouse",
    "spark.metrics.conf.*.sink.console.class",
    "spark.scheduler.listenerbus.eventqueue.appStatus.capacity",
];

fn versions() -> impl Iterator<Item = Version> {
    (0..=5).map(|minor| Version(3, minor)).chain((0..=3).map(|minor| Version(4, minor)))
}

#[test]
fn reads_every_line_in_order() {
    let families = REGISTRY.families.len();
    assert_eq!(REGISTRY.settings.len() + families, DATA.lines().count());
    assert!(REGISTRY.settings.len() > 2000 && families > 30);
    assert!(REGISTRY.settings.is_sorted_by(|one, next| one.key < next.key));
}

#[test]
fn is_at_most_200_kb() {
    assert!(DATA.len() <= 200_000, "{}", DATA.len());
}

#[test]
fn successors_are_settings_themselves() {
    for setting in all() {
        if let Some(successor) = setting.replaced_by {
            assert!(
                super::setting(successor).is_some() || family_of(successor).is_some(),
                "{} → {successor}",
                setting.key
            );
        }
    }
}

#[test]
fn finds_what_a_misspelt_key_was_meant_to_be() {
    for (key, meant) in MISSPELT {
        assert!(setting(key).is_none() && family_of(key).is_none(), "{key}");
        assert_eq!(nearest(key, NEWEST).as_deref(), Some(meant), "{key}");
    }
}

#[test]
fn suggests_nothing_that_only_shares_a_prefix() {
    for key in UNKNOWN {
        assert!(setting(key).is_none() && family_of(key).is_none(), "{key}");
        assert_eq!(nearest(key, NEWEST), None, "{key}");
    }
}

#[test]
fn suggests_only_what_the_version_has() {
    assert_eq!(nearest("spark.storage.decomission.enabled", Version(3, 0)), None);
    let meant = nearest("spark.storage.decomission.enabled", Version(3, 1));
    assert_eq!(meant.as_deref(), Some("spark.storage.decommission.enabled"));
}

#[test]
fn knows_which_settings_are_outdated() {
    for (key, version, successor) in OUTDATED {
        let setting = setting(key).unwrap_or_else(|| panic!("{key}"));
        assert!(!setting.exists_in(version) || setting.is_deprecated_in(version), "{setting:?}");
        assert_eq!(setting.replaced_by, successor, "{key}");
    }
}

#[test]
fn has_the_advice_of_spark() {
    let advice = setting("spark.executor.plugins").and_then(|setting| setting.advice);
    assert_eq!(advice, Some("Feature replaced with new plugin API. See Monitoring documentation."));
}

#[test]
fn knows_which_settings_are_too_new() {
    for (key, before, since) in EARLY {
        let setting = setting(key).unwrap_or_else(|| panic!("{key}"));
        assert_eq!(setting.since, since, "{key}");
        assert!(!setting.exists_in(before) && setting.exists_in(since), "{key}");
    }
    assert_eq!(family_of("spark.kubernetes.driver.node.selector.disk").map(|family| family.since), Some(Version(3, 3)));
}

#[test]
fn refuses_values_of_another_form() {
    for (key, value, expected) in MISTYPED {
        let setting = setting(key).unwrap_or_else(|| panic!("{key}"));
        let error = setting.form.check(value, NEWEST).expect_err(key);
        assert!(error.starts_with(expected), "{key}={value}: {error}");
    }
}

#[test]
fn accepts_correct_settings() {
    for (key, value) in CORRECT {
        let setting = setting(key).unwrap_or_else(|| panic!("{key}"));
        assert!(setting.exists_in(Version(3, 0)) && setting.exists_in(NEWEST), "{setting:?}");
        for version in versions() {
            assert_eq!(setting.form.check(value, version), Ok(()), "{key}={value}");
        }
    }
    for key in MEMBERS {
        assert!(family_of(key).is_some(), "{key}");
    }
}

#[test]
fn accepts_every_default_in_every_version_that_has_the_setting() {
    let mut checked = 0;
    for setting in all() {
        let whole = setting.default.filter(|default| !default.starts_with("<value of") && !default.ends_with('…'));
        for version in versions().filter(|version| setting.exists_in(*version)) {
            if let Some(default) = whole {
                assert_eq!(setting.form.check(default, version), Ok(()), "{} = {default}", setting.key);
                checked += 1;
            }
        }
    }
    assert!(checked > 5000, "{checked}");
}

#[test]
fn reads_durations_and_sizes_as_spark_does() {
    let duration = Form::parse("time:ms").unwrap();
    for value in ["10", "10s", " 10s ", "10S", "5min", "5m", "1d", "1h", "3us", "-1", "-1s"] {
        assert_eq!(duration.check(value, NEWEST), Ok(()), "{value}");
    }
    for value in ["10 s", "1ns", "+1", "1.5s", "", "s", "1week", "9223372036854775808", "1sec"] {
        assert!(duration.check(value, NEWEST).is_err(), "{value}");
    }
    let size = Form::parse("bytes:b").unwrap();
    for value in
        ["10", "10k", " 10k ", "10K", "10kb", "1g", "1gb", "1t", "1p", "1b", "-1", "-1g", "9223372036854775807"]
    {
        assert_eq!(size.check(value, NEWEST), Ok(()), "{value}");
    }
    for value in ["10 k", "+1", "1.5g", "", "g", "1e", "--1", " -1", "9223372036854775807p", "1bi", "0.5gb"] {
        assert!(size.check(value, NEWEST).is_err(), "{value}");
    }
}

#[test]
fn takes_the_suffixes_of_kubernetes_from_4_2_on() {
    let size = Form::parse("bytes:m").unwrap();
    for value in ["1Gi", "10mib", "1ki"] {
        assert!(size.check(value, Version(4, 1)).is_err(), "{value}");
        assert_eq!(size.check(value, Version(4, 2)), Ok(()), "{value}");
    }
}

#[test]
fn compares_a_minimum_in_the_unit_of_the_setting() {
    let seconds = Form::parse("time:s>=1").unwrap();
    assert!(seconds.check("500ms", NEWEST).is_err());
    assert_eq!(seconds.check("1500ms", NEWEST), Ok(()));
}
