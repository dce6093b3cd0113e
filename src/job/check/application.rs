//! Checks of what runs: the name, the image, the main file, the version of Spark, and what comes with them.

use std::collections::BTreeSet;

use super::phrases;
use crate::diagnostic::Problem;
use crate::job::spec::Mode;
use crate::job::{Job, Name, local_files, placement};
use crate::kubernetes::names;
use crate::spark::{Conf, Language, Role, Version, containers};

pub(super) fn problems(job: &Job, conf: &Conf) -> Vec<Problem> {
    let mut problems = Vec::new();
    problems.extend(name(job));
    problems.extend(namespace(job));
    problems.extend(placement::labels("metadata.labels", &job.labels));
    problems.extend(image(conf));
    problems.extend(main_file(job));
    problems.extend(language(job));
    problems.extend(mode(job));
    problems.extend(suspended(job));
    problems.extend(arguments(job));
    problems.extend(version(job));
    problems.extend(without_effect(job));
    problems.extend(volumes(job));
    problems.extend(allocation(job));
    problems.extend(ingresses(job));
    problems.extend(dependencies(job));
    problems
}

fn name(job: &Job) -> Option<Problem> {
    let (name, path) = match &job.name {
        Name::Given(name) if name.is_empty() => {
            return Some(
                Problem::error("the application has no name")
                    .at_field("metadata.name")
                    .help("write `metadata.name`, or give --name"),
            );
        }
        Name::Given(name) => (name.clone(), "metadata.name"),
        Name::Generated(beginning) => (format!("{beginning}x"), "metadata.generateName"),
    };
    names::check(&name).err().map(|message| Problem::error(message).at_field(path))
}

fn namespace(job: &Job) -> Option<Problem> {
    let namespace = job.namespace.as_ref()?;
    let good = names::check(namespace).is_ok() && !namespace.contains('.') && namespace.len() <= names::LABEL;
    (!good)
        .then(|| Problem::error(format!("`{namespace}` is not the name of a namespace")).at_field("metadata.namespace"))
}

fn image(conf: &Conf) -> Option<Problem> {
    let has_none = |role: &Role| containers::image_setting(conf, *role).is_none();
    let role = [Role::Driver, Role::Executor].into_iter().find(has_none)?;
    let missing = format!("no image is given for the {}", role.word());
    Some(Problem::error(missing).at_field("spec.image").help("write `image`, or give --image"))
}

fn main_file(job: &Job) -> Option<Problem> {
    if job.spec.main_application_file.as_deref().is_none_or(str::is_empty) {
        return Some(
            Problem::error("`mainApplicationFile` is missing: expected the jar or script to run")
                .at_field("spec.mainApplicationFile")
                .help("write `mainApplicationFile`, or give --main-file; `local:///path` is a path inside the image"),
        );
    }
    (!job.language().is_foreign() && job.main_class().is_empty()).then(|| {
        Problem::error("`mainClass` is missing: expected the class of the jar to run")
            .at_field("spec.mainClass")
            .help("write `mainClass`, or give --class")
    })
}

fn language(job: &Job) -> Option<Problem> {
    let (kind, language) = (job.spec.kind?, job.language());
    let same_runner = |one: Language, other: Language| one == other || (!one.is_foreign() && !other.is_foreign());
    (!same_runner(kind, language)).then(|| {
        Problem::warning(format!("the main file is run as {}, because Spark goes by its name", language.word()))
            .at_field("spec.type")
            .help(format!("write `type: {}`", language.word()))
    })
}

fn mode(job: &Job) -> Option<Problem> {
    (job.spec.mode == Some(Mode::Client)).then(|| {
        Problem::error("client mode would run the driver on this machine, where executors cannot reach it")
            .at_field("spec.mode")
            .help("write `mode: cluster`, or run it here with --local")
    })
}

fn suspended(job: &Job) -> Option<Problem> {
    (job.spec.suspend == Some(true)).then(|| {
        Problem::error("a suspended application waits for a controller to resume it, and there is none")
            .at_field("spec.suspend")
            .help("remove `suspend` to run it")
    })
}

fn arguments(job: &Job) -> impl Iterator<Item = Problem> {
    job.spec.arguments.iter().enumerate().filter(|(_, argument)| argument.contains('\0')).map(|(index, argument)| {
        Problem::error(format!("{argument:?} contains a NUL character")).at_field(format!("spec.arguments[{index}]"))
    })
}

fn version(job: &Job) -> Option<Problem> {
    let written = job.spec.spark_version.is_some();
    let path = if written { "spec.sparkVersion" } else { "spec" };
    let problem = match Version::parse(job.spark_version()) {
        Some(version) if version < Version::OLDEST => {
            Problem::error(format!("Spark {version} is not supported: {} is the oldest", Version::OLDEST))
                .at_field("spec.sparkVersion")
        }
        Some(version) if version > Version::NEWEST => {
            Problem::warning(format!("Spark {version} is newer than this program: treated as {}", Version::NEWEST))
                .at_field("spec.sparkVersion")
        }
        Some(_) if written => return None,
        Some(_) => Problem::warning(format!(
            "`sparkVersion` is missing: taken to be {}, as the image's tag says",
            job.version()
        ))
        .at_field(path),
        None if written => Problem::warning(format!(
            "`{}` is not a version: treated as Spark {}",
            job.spark_version(),
            Version::ASSUMED
        ))
        .at_field(path),
        None => Problem::error("`sparkVersion` is missing: expected the version of Spark in the image, such as 3.5.1")
            .at_field(path)
            .help("write `sparkVersion`, or give --spark-version"),
    };
    Some(problem)
}

/// Checks for fields of the application that have no effect.
fn without_effect(job: &Job) -> impl Iterator<Item = Problem> {
    let spec = &job.spec;
    let dead = "no effect: the operator does not read it either; `restartPolicy` is what it was meant for";
    let allocation = &spec.dynamic_allocation;
    let ingress = spec
        .spark_ui_options
        .as_ref()
        .is_some_and(|ui| !ui.ingress_annotations.is_empty() || !ui.ingress_tls.is_empty());
    [
        (spec.failure_retries.is_some(), "spec.failureRetries", dead),
        (spec.retry_interval.is_some(), "spec.retryInterval", dead),
        (
            *allocation != Default::default() && allocation.enabled != Some(true),
            "spec.dynamicAllocation",
            "no effect without `enabled: true`",
        ),
        (
            spec.monitoring.as_ref().is_some_and(|monitoring| monitoring.prometheus.is_none()),
            "spec.monitoring",
            "no effect without `prometheus`: the operator ignores it as well",
        ),
        (
            ingress,
            "spec.sparkUIOptions",
            "no Ingress is made: its address is a setting of the operator's installation; use `driverIngressOptions`",
        ),
    ]
    .into_iter()
    .filter_map(phrases::warning)
}

fn volumes(job: &Job) -> Vec<Problem> {
    let (spec, volumes) = (&job.spec, &job.spec.volumes);
    let roles = [&spec.driver.role, &spec.executor.role];
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, volume) in volumes.0.iter().enumerate() {
        let name = volume.text("name");
        if !seen.insert(name) {
            let twice = Problem::error(format!("two volumes are named `{name}`"));
            problems.push(twice.at_field(format!("spec.volumes[{index}].name")));
        }
        if !volumes.is_mounted(name, roles) {
            let unused = Problem::warning(format!("no effect: no `volumeMounts` names `{name}`"));
            problems.push(unused.at_field(format!("spec.volumes[{index}]")));
        }
    }
    problems.extend(volumes.check(roles[0], Role::Driver));
    problems.extend(volumes.check(roles[1], Role::Executor));
    problems
}

fn allocation(job: &Job) -> Vec<Problem> {
    let allocation = &job.spec.dynamic_allocation;
    let count = |count: &Option<crate::job::schema::Count>| count.as_ref().map(|count| **count);
    let (least, most) = (count(&allocation.min_executors), count(&allocation.max_executors));
    let initial = count(&allocation.initial_executors);
    let exceeds = |one: Option<_>, other: Option<_>| one.zip(other).is_some_and(|(one, other)| one > other);
    let mut problems = Vec::new();
    if let (true, Some(least), Some(most)) = (exceeds(least, most), least, most) {
        let message = format!("minExecutors ({least}) is greater than maxExecutors ({most})");
        problems.push(Problem::error(message).at_field("spec.dynamicAllocation.minExecutors"));
    }
    if let (true, Some(initial)) = (exceeds(initial, most) || exceeds(least, initial), initial) {
        let message = format!("initialExecutors ({initial}) is not between minExecutors and maxExecutors");
        problems.push(Problem::error(message).at_field("spec.dynamicAllocation.initialExecutors"));
    }
    problems
}

fn ingresses(job: &Job) -> Vec<Problem> {
    let (mut ports, mut urls) = (BTreeSet::new(), BTreeSet::new());
    let mut problems = Vec::new();
    for (index, options) in job.spec.driver_ingress_options.iter().enumerate() {
        let path = |rest: &str| format!("spec.driverIngressOptions[{index}].{rest}");
        if !ports.insert(*options.service_port) {
            let twice = format!("port {} is given twice", *options.service_port);
            problems.push(Problem::error(twice).at_field(path("servicePort")));
        }
        if options.ingress_url_format.is_empty() || !urls.insert(&options.ingress_url_format) {
            problems
                .push(Problem::error("expected a different address for each port").at_field(path("ingressURLFormat")));
        }
    }
    problems
}

fn dependencies(job: &Job) -> Vec<Problem> {
    let is_unread = |uri: &str| local_files::is_local(uri) && !job.files.local.has(uri);
    let unread = job.named_files().into_iter().filter(|named| is_unread(&named.uri)).map(|named| {
        let problem = Problem::error(format!("`{}` is a local file, and was not read", named.uri));
        job.field_problem(&named.field, problem)
    });
    let is_coordinate = |package: &str| package.split(':').count() >= 3;
    let packages = job.spec.deps.packages.iter().enumerate().filter(|(_, package)| !is_coordinate(package));
    let malformed = packages.map(|(index, package)| {
        Problem::error(format!("`{package}` is not a Maven coordinate, `group:artifact:version`"))
            .at_field(format!("spec.deps.packages[{index}]"))
    });
    unread.chain(malformed).collect()
}
