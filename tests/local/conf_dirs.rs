//! Configuration directories of the machine, and those that the job carries.

use std::path::Path;
use std::process::Command;

use crate::support::container;
use crate::support::local::{run_of, text};

/// Prints what the driver has of both directories.
const SCRIPT: &str = "\
import os
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
print(sorted(name for name in os.listdir(os.environ['SPARK_CONF_DIR']) if name != 'spark.properties'))
print(spark.sparkContext._jsc.hadoopConfiguration().get('test.colour'), spark.conf.get('spark.test.shape', 'none'))
";

/// Makes a directory of each kind. The Hadoop configuration sets `test.colour`.
fn filled(folder: &Path, colour: &str) -> [String; 2] {
    let [spark, hadoop] = ["spark", "hadoop"].map(|name| folder.join(format!("{colour}-{name}")));
    let write = |path: std::path::PathBuf, content: &str| std::fs::write(path, content).expect("writing a file");
    [&spark, &hadoop].iter().for_each(|folder| std::fs::create_dir(folder).expect("making a folder"));
    write(spark.join("spark-defaults.conf"), "spark.test.shape round\n");
    write(spark.join("log4j2.properties"), "rootLogger.level = error\n");
    write(spark.join("spark-env.sh"), "");
    let site =
        format!("<configuration><property><name>test.colour</name><value>{colour}</value></property></configuration>");
    write(hadoop.join("core-site.xml"), &site);
    [spark, hadoop].map(|folder| folder.display().to_string())
}

/// The output of a run with both variables set, and of one that carries both directories, too.
fn printed(folder: &Path, run: impl Fn(&[&str]) -> Command) -> [String; 2] {
    let [spark, hadoop] = filled(folder, "red");
    let [spark_along, hadoop_along] = filled(folder, "blue");
    let along = ["--spark-conf-dir", &spark_along, "--hadoop-conf-dir", &hadoop_along];
    [&[][..], &along].map(|arguments| {
        let run = run(arguments).env("SPARK_CONF_DIR", &spark).env("HADOOP_CONF_DIR", &hadoop).output();
        let run = run.expect("running");
        assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
        text(&run.stdout)
    })
}

#[test]
fn apply_on_the_machine() {
    let folder = tempfile::tempdir().expect("a folder");
    let printed = printed(folder.path(), |arguments| run_of(folder.path(), SCRIPT, arguments));
    let expected = [
        "['log4j2.properties', 'spark-defaults.conf', 'spark-env.sh']\nred round\n",
        "['log4j2.properties', 'spark-env.sh']\nblue none\n",
    ];
    assert_eq!(printed, expected);
}

#[test]
fn apply_in_a_container() {
    let folder = tempfile::tempdir().expect("a folder");
    let printed = printed(folder.path(), |arguments| container::run_of(folder.path(), SCRIPT, arguments));
    let expected = [
        "['log4j2.properties', 'spark-defaults.conf']\nred round\n",
        "['log4j2.properties', 'spark-env.sh']\nblue none\n",
    ];
    assert_eq!(printed, expected);
}
