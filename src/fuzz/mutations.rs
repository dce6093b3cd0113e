//! Job files and command lines made from a fuzzer's bytes.

use arbitrary::{Result, Unstructured};
use serde_json::{Map, Value, json};

use crate::job::yaml;

/// What is altered.
pub const SEEDS: [&str; 7] = [
    include_str!("../../examples/pyspark-pi.yaml"),
    include_str!("../../examples/jvm-pi.yaml"),
    include_str!("../../examples/own-files.yaml"),
    include_str!("../../tests/it/translation/most.yaml"),
    include_str!("../../tests/it/translation/shapes.yaml"),
    include_str!("../../docs/nightly.yaml"),
    include_str!("../../docs/mistakes.yaml"),
];

/// What readers of YAML, of quantities, of names, of cron and of variables stumble over.
const BITS: [&str; 70] = [
    "",
    "0",
    "-0",
    "-1",
    "1",
    "2147483648",
    "9223372036854775807",
    "99999999999999999999",
    "1e999",
    "1e18",
    "0.5",
    "-0.0",
    ".inf",
    ".nan",
    "0x10",
    "0o7",
    "1_000",
    "true",
    "True",
    "yes",
    "~",
    "null",
    "''",
    "\"",
    "'",
    "[",
    "]",
    "{",
    "}",
    ": ",
    "- ",
    "&a ",
    "*a",
    "<<",
    "|",
    ">",
    "!!str ",
    "%",
    "@",
    "`",
    "---",
    "...",
    "\t",
    "\n",
    "\r\n",
    " ",
    "  # x",
    "é",
    "😀",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "\u{7f}",
    "\u{1b}[31m",
    "${",
    "${X:-y}",
    "${env:X}",
    "${spark.app.name}",
    "$$",
    "{{APP_ID}}",
    "OnDemand",
    "spark-local-dir-1",
    ",",
    "a,b",
    "local:///a.jar",
    "512m",
    "8191p",
    "1Ei",
    "A:B",
    "*/5 * * * *",
];

/// Settings of Spark that a submission heeds, and beginnings of their families.
const KEYS: [&str; 46] = [
    "spark.app.name",
    "spark.driver.memory",
    "spark.driver.memoryOverhead",
    "spark.driver.memoryOverheadFactor",
    "spark.driver.minMemoryOverhead",
    "spark.executor.memory",
    "spark.executor.memoryOverhead",
    "spark.executor.memoryOverheadFactor",
    "spark.executor.pyspark.memory",
    "spark.memory.offHeap.enabled",
    "spark.memory.offHeap.size",
    "spark.kubernetes.memoryOverheadFactor",
    "spark.driver.cores",
    "spark.executor.cores",
    "spark.executor.instances",
    "spark.dynamicAllocation.enabled",
    "spark.dynamicAllocation.minExecutors",
    "spark.dynamicAllocation.initialExecutors",
    "spark.kubernetes.driver.request.cores",
    "spark.kubernetes.driver.limit.cores",
    "spark.kubernetes.executor.request.cores",
    "spark.driver.port",
    "spark.driver.blockManager.port",
    "spark.ui.port",
    "spark.local.dir",
    "spark.jars",
    "spark.files",
    "spark.submit.pyFiles",
    "spark.kubernetes.driver.pod.name",
    "spark.kubernetes.executor.podNamePrefix",
    "spark.kubernetes.driver.podTemplateContainerName",
    "spark.kubernetes.driver.service.ipFamilies",
    "spark.kubernetes.local.dirs.tmpfs",
    "spark.kubernetes.container.image.pullSecrets",
    "spark.kubernetes.driver.pod.featureSteps",
    "spark.kubernetes.driver.pod.excludedFeatureSteps",
    "spark.kubernetes.scheduler.name",
    "spark.driver.resource.gpu.amount",
    "spark.driver.resource.gpu.vendor",
    "spark.kubernetes.driver.secretKeyRef.",
    "spark.kubernetes.driver.label.",
    "spark.kubernetes.driver.volumes.persistentVolumeClaim.a.mount.path",
    "spark.kubernetes.driver.volumes.persistentVolumeClaim.a.options.claimName",
    "spark.kubernetes.driver.volumes.persistentVolumeClaim.a.options.sizeLimit",
    "spark.kubernetes.driver.volumes.persistentVolumeClaim.a.options.storageClass",
    "spark.hadoop.",
];

/// A job file in which lines or parts of them are replaced.
pub fn misprinted(u: &mut Unstructured) -> Result<String> {
    let mut text = (*u.choose(&SEEDS)?).to_owned();
    for _ in 0..u.int_in_range(1..=6)? {
        let lines: Vec<&str> = text.lines().collect();
        let line = u.choose_index(lines.len().max(1))?;
        let start: usize = lines.iter().take(line).map(|line| line.len() + 1).sum();
        let content = lines.get(line).copied().unwrap_or_default();
        let end = start + content.len();
        let value = content.find(": ").map_or(content.len(), |at| at + 2);
        // A value, the rest of a line, a whole line is replaced, or something is put in.
        let (from, to) = match u.int_in_range(0..=4)? {
            0 | 1 => (start + value, end),
            2 => (start + u.choose_index(content.len() + 1)?, end),
            3 => (start, end + 1),
            _ => {
                let at = start + u.choose_index(content.len() + 1)?;
                (at, at)
            }
        };
        let boundary = |at: usize| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let (from, to) = (boundary(from), boundary(to));
        let bit = match u.int_in_range(0..=3)? {
            0 => lines.get(u.choose_index(lines.len().max(1))?).copied().unwrap_or_default().to_owned(),
            1 => u.choose(&BITS)?.repeat(u.int_in_range(0..=300)?),
            _ => (*u.choose(&BITS)?).to_owned(),
        };
        text.replace_range(from..to.max(from), &bit);
    }
    Ok(text)
}

/// A job file in which values are removed, doubled, swapped, renamed or replaced by others.
pub fn altered(u: &mut Unstructured) -> Result<Value> {
    let mut document = seed(u)?;
    for _ in 0..u.int_in_range(1..=8)? {
        let spec = if document["kind"] == "ScheduledSparkApplication" { "/spec/template" } else { "/spec" };
        match document.pointer_mut(spec).and_then(Value::as_object_mut) {
            Some(spec) if u.ratio(1, 4)? => {
                let conf = spec.entry("sparkConf").or_insert_with(|| json!({}));
                if let Value::Object(conf) = conf {
                    conf.insert(key(u)?, text(u)?.into());
                }
            }
            _ => alter(&mut document, u)?,
        }
    }
    Ok(document)
}

fn seed(u: &mut Unstructured) -> Result<Value> {
    let documents = yaml::documents(u.choose(&SEEDS)?, &mut Vec::new()).unwrap_or_default();
    let documents: Vec<Value> = documents.iter().map(yaml::Node::json).collect();
    Ok(u.choose(&documents)?.clone())
}

/// Alters something in `value`, mostly deep in it.
fn alter(value: &mut Value, u: &mut Unstructured) -> Result<()> {
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            let keys: Vec<String> = entries.keys().cloned().collect();
            let key = u.choose(&keys)?;
            match u.int_in_range(0..=15)? {
                0 => drop(entries.remove(key)),
                1 => {
                    if let Some(value) = entries.remove(key) {
                        entries.insert(format!("{key}{}", u.choose(&BITS)?), value);
                    }
                }
                2 => swap(entries, key, u.choose(&keys)?),
                3 => entries[key] = other(u)?,
                _ => alter(&mut entries[key], u)?,
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let index = u.choose_index(items.len())?;
            match u.int_in_range(0..=7)? {
                0 => drop(items.remove(index)),
                1 => items.push(items[index].clone()),
                2 => items[index] = other(u)?,
                _ => alter(&mut items[index], u)?,
            }
        }
        value => *value = other(u)?,
    }
    Ok(())
}

fn swap(entries: &mut Map<String, Value>, one: &str, other: &str) {
    if let (Some(first), Some(second)) = (entries.get(one).cloned(), entries.get(other).cloned()) {
        entries[one] = second;
        entries[other] = first;
    }
}

/// A value of any type.
fn other(u: &mut Unstructured) -> Result<Value> {
    Ok(match u.int_in_range(0..=9)? {
        0 => Value::Null,
        1 => u.arbitrary::<bool>()?.into(),
        2 => u.arbitrary::<i64>()?.into(),
        3 => u.arbitrary::<f64>()?.into(),
        4 => json!([text(u)?]),
        5 => json!({key(u)?: text(u)?}),
        6 => json!([{"name": text(u)?, "value": text(u)?}]),
        _ => text(u)?.into(),
    })
}

fn text(u: &mut Unstructured) -> Result<String> {
    Ok(match u.int_in_range(0..=7)? {
        0 => u.arbitrary::<&str>()?.to_owned(),
        1 => u.choose(&BITS)?.repeat(u.int_in_range(0..=300)?),
        2 => format!("{}{}", u.choose(&BITS)?, u.choose(&BITS)?),
        3 => u.arbitrary::<i64>()?.to_string(),
        4 => u.arbitrary::<f64>()?.to_string(),
        5 => format!("${{{0}}}${{{0}}}", u.choose(&KEYS)?),
        _ => (*u.choose(&BITS)?).to_owned(),
    })
}

fn key(u: &mut Unstructured) -> Result<String> {
    let key = *u.choose(&KEYS)?;
    Ok(if key.ends_with('.') { format!("{key}{}", u.choose(&BITS)?) } else { key.to_owned() })
}

/// The words of a command line that is for Kubernetes.
pub fn command_line(u: &mut Unstructured) -> Result<Vec<String>> {
    const FLAGS: [&str; 14] = [
        "--name",
        "--class",
        "--driver-memory",
        "--driver-cores",
        "--executor-memory",
        "--num-executors",
        "--jars",
        "--files",
        "--py-files",
        "--packages",
        "--proxy-user",
        "--queue",
        "--supervise",
        "--verbose",
    ];
    let mut words = ["--master", "k8s://h", "--deploy-mode", "cluster"].map(str::to_owned).to_vec();
    for _ in 0..u.int_in_range(0..=8)? {
        match u.int_in_range(0..=5)? {
            0 => words.push(text(u)?),
            1 | 2 => words.extend([(*u.choose(&FLAGS)?).to_owned(), text(u)?]),
            _ => words.extend(["--conf".to_owned(), format!("{}={}", key(u)?, text(u)?)]),
        }
    }
    words.push(format!("local:///{}{}", text(u)?, u.choose(&["", ".py", ".R", ".jar"])?));
    for _ in 0..u.int_in_range(0..=2)? {
        words.push(text(u)?);
    }
    Ok(words)
}

/// A file of settings.
pub fn properties(u: &mut Unstructured) -> Result<String> {
    let mut file = String::new();
    for _ in 0..u.int_in_range(0..=6)? {
        let separator = u.choose(&["=", " ", ":", " = ", "\t", ""])?;
        file += &format!("{}{separator}{}{}", key(u)?, text(u)?, u.choose(&["\n", "\r\n", "\\\n  ", "\r"])?);
    }
    Ok(file)
}

pub fn version(u: &mut Unstructured) -> Result<String> {
    Ok((*u.choose(&["3.0.3", "3.1.3", "3.3.4", "3.5.9", "4.0.5", "4.1.4", "4.2.1", "4.3.0", "", "latest"])?).to_owned())
}
