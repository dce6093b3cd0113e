//! Hints on containers that ran out of memory: what the limit consists of, and what to raise.

use k8s_openapi::api::core::v1::Pod;

use crate::kubernetes::quantity;
use crate::spark::{Conf, memory};
use crate::state::container::{self, Role};

/// Spark's default heap, in MiB.
const HEAP: u64 = 1024;

/// A limit in its parts, in MiB.
///
/// Source: `BasicDriverFeatureStep` and `ResourceProfile` of Spark; see [`memory::request`].
#[derive(Clone, Debug, PartialEq)]
struct Parts {
    limit: u64,
    heap: u64,
    off_heap: u64,
    python: u64,
    overhead: u64,
}

impl Parts {
    /// `None` if the heap's size is unknown: Spark puts an executor's into its environment, a driver's is in the
    /// application's settings.
    fn of(pod: &Pod, role: Role, settings: Option<&Conf>) -> Option<Parts> {
        let limit = container::memory_limit(pod, role).and_then(quantity::mebibytes)? as u64;
        let own = |key: &str| settings.and_then(|conf| memory::mebibytes(conf.get(key)?));
        let heap = match role {
            Role::Driver => settings.map(|_| own("spark.driver.memory").unwrap_or(HEAP)),
            Role::Executor => executor_heap(pod).or_else(|| own("spark.executor.memory")),
        }?;
        let of_executor = |amount: Option<u64>| amount.filter(|_| role == Role::Executor).unwrap_or_default();
        let off_heap = settings.filter(|conf| conf.is_true("spark.memory.offHeap.enabled")).and_then(|conf| {
            let bytes = memory::bytes(conf.get("spark.memory.offHeap.size")?, 1)?;
            Some(bytes >> 20)
        });
        let (off_heap, python) = (of_executor(off_heap), of_executor(own("spark.executor.pyspark.memory")));
        let overhead = limit.checked_sub(heap + off_heap + python)?;
        Some(Parts { limit, heap, off_heap, python, overhead })
    }

    /// `512m heap + 384m overhead = 896Mi`.
    fn sum(&self) -> String {
        let optional = [(self.off_heap, "off-heap"), (self.python, "for PySpark")];
        let optional = optional.into_iter().filter(|(amount, _)| *amount > 0);
        let parts = std::iter::once((self.heap, "heap")).chain(optional).chain([(self.overhead, "overhead")]);
        let parts: Vec<String> = parts.map(|(amount, what)| format!("{} {what}", spark_size(amount))).collect();
        format!("{} = {}Mi", parts.join(" + "), self.limit)
    }
}

/// A size in MiB as Spark's settings write it: `384m`, `2g`.
fn spark_size(mebibytes: u64) -> String {
    match mebibytes {
        0 => "0".into(),
        whole if whole.is_multiple_of(1024) => format!("{}g", whole / 1024),
        mebibytes => format!("{mebibytes}m"),
    }
}

fn executor_heap(pod: &Pod) -> Option<u64> {
    let env = container::spark_container(pod, Role::Executor)?.env.as_ref()?;
    memory::mebibytes(env.iter().find(|variable| variable.name == "SPARK_EXECUTOR_MEMORY")?.value.as_ref()?)
}

/// `its limit of 896Mi (512m heap + 384m overhead = 896Mi)`; only the limit if its parts are unknown.
pub fn limit(pod: &Pod, role: Role, settings: Option<&Conf>) -> Option<String> {
    let limit = container::memory_limit(pod, role)?;
    Some(match Parts::of(pod, role, settings) {
        Some(parts) => format!("its limit of {limit} ({})", parts.sum()),
        None => format!("its limit of {limit}"),
    })
}

/// What to raise for a container that was killed because of its memory limit. The heap cannot exceed its own share, so
/// the memory outside of the heap was too small.
pub fn killed(pod: &Pod, role: Role, settings: Option<&Conf>) -> String {
    let role_word = role.word();
    match Parts::of(pod, role, settings) {
        Some(parts) => {
            let more = if parts.overhead == 0 { memory::LEAST_OVERHEAD } else { parts.overhead * 2 };
            format!(
                "{}: the heap stays within its share, and Python and native memory are part of the overhead: raise {role_word}.memoryOverhead from {} to {}",
                parts.sum(),
                spark_size(parts.overhead),
                spark_size(more)
            )
        }
        None => format!(
            "its limit is {}, heap and overhead combined: raise {role_word}.memoryOverhead for Python and native memory, {role_word}.memory for the heap",
            container::memory_limit(pod, role).unwrap_or("not stated")
        ),
    }
}

/// What to raise for a JVM whose heap was too small.
pub fn heap_full(pod: &Pod, role: Role, settings: Option<&Conf>) -> String {
    let role_word = role.word();
    match Parts::of(pod, role, settings) {
        Some(parts) => format!(
            "the heap itself was too small: raise {role_word}.memory from {} to {}, or keep less in it",
            spark_size(parts.heap),
            spark_size(parts.heap * 2)
        ),
        None => format!("the heap itself was too small: raise {role_word}.memory"),
    }
}
