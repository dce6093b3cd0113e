//! Annotations of the job file that say of a submission what no field of the operator's says. The
//! operator takes no notice of them.

/// A directory of this machine with files of Spark's configuration, for the driver.
pub const SPARK_CONF_DIR: &str = "sparkctl.dev/spark-conf-dir";
/// A directory of this machine with files of Hadoop's configuration, for driver and executors.
pub const HADOOP_CONF_DIR: &str = "sparkctl.dev/hadoop-conf-dir";
/// The user that Spark is told of.
pub const USER: &str = "sparkctl.dev/user";
