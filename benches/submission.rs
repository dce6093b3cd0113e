//! Measures time and memory of a submission: with sparkctl, with `kubectl create` of the same objects, and with
//! spark-submit, side by side.
//!
//! Run it with `cargo bench --bench submission`. It needs the test cluster, `/usr/bin/time`, `kubectl`, Python 3 with
//! pip, and Java for spark-submit. None of its pods ever runs, as no node has the label that they require.

#[path = "../tests/support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use kube::config::Kubeconfig;
use serde_json::json;
use support::{Namespace, cluster, root, text};

/// Measured rounds, after one for warming up.
const ROUNDS: usize = 10;
const SPARK: &str = "4.1.4";
const APPLICATION: &str = "local:///opt/spark/examples/src/main/python/pi.py";
const NOWHERE: &str = "spark.kubernetes.node.selector.benchmark=nowhere";

/// Wall-clock time in milliseconds and peak memory in MiB of one run.
#[derive(Clone, Copy)]
struct Figures {
    milliseconds: f64,
    mebibytes: f64,
}

fn main() {
    let ns = Namespace::new("bench");
    let spark_submit = spark_submit();
    let token = token(&ns);
    let authority = authority();
    let mut rows: [(&str, Vec<Figures>); 3] =
        [("sparkctl submit --detach", Vec::new()), ("kubectl create", Vec::new()), ("spark-submit", Vec::new())];
    for round in 0..=ROUNDS {
        let taken = [
            timed(&mut sparkctl(&ns, round, &["submit", "--detach"])),
            timed(&mut kubectl(&ns, round)),
            timed(through_spark(&ns, round, &spark_submit).args([
                format!("--conf=spark.kubernetes.authenticate.submission.oauthToken={token}"),
                format!("--conf=spark.kubernetes.authenticate.submission.caCertFile={}", authority.display()),
                APPLICATION.to_owned(),
                "10".to_owned(),
            ])),
        ];
        if round > 0 {
            rows.iter_mut().zip(taken).for_each(|((_, figures), taken)| figures.push(taken));
        }
    }
    println!("{:<26} {:>28}   {:>9}", "", "milliseconds min/median/max", "peak MiB");
    for (name, figures) in &mut rows {
        figures.sort_by(|one, other| one.milliseconds.total_cmp(&other.milliseconds));
        let at = |index: usize| figures[index].milliseconds;
        let peak = figures.iter().map(|figures| figures.mebibytes).fold(0.0, f64::max);
        let span = format!("{:.0} / {:.0} / {:.0}", at(0), at(figures.len() / 2), at(figures.len() - 1));
        println!("{name:<26} {span:>28}   {peak:>9.0}");
    }
}

/// Runs a command to its end.
///
/// # Panics
/// If the command fails.
fn timed(command: &mut Command) -> Figures {
    let mut timed = Command::new("/usr/bin/time");
    timed.args(["--format", "%e %M"]).arg(command.get_program()).args(command.get_args());
    timed.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    timed.current_dir(root());
    let start = std::time::Instant::now();
    let output = timed.output().expect("/usr/bin/time, of the package `time`");
    let milliseconds = start.elapsed().as_secs_f64() * 1000.0;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {said}");
    let kibibytes = said.lines().next_back().and_then(|line| line.split(' ').nth(1)?.parse::<f64>().ok());
    Figures { milliseconds, mebibytes: kibibytes.expect("the figures of /usr/bin/time") / 1024.0 }
}

fn sparkctl(ns: &Namespace, round: usize, what: &[&str]) -> Command {
    let mut command = ns.command();
    command.args(what).args(["examples/python-pi.yaml", "--name", &format!("ours-{round}"), "--conf", NOWHERE]);
    command
}

fn kubectl(ns: &Namespace, round: usize) -> Command {
    let mut render = ns.command();
    render.args(["render", "--no-hold", "examples/python-pi.yaml", "--conf", NOWHERE]);
    let rendered = render.args(["--name", &format!("kubectl-{round}")]).output().expect("sparkctl render");
    let file = target().join(format!("objects-{round}.yaml"));
    std::fs::write(&file, rendered.stdout).expect("writing the objects");
    let mut command = Command::new("kubectl");
    command.env("KUBECONFIG", &cluster().kubeconfig).args(["create", "-f"]).arg(file);
    command
}

fn through_spark(ns: &Namespace, round: usize, spark_submit: &Path) -> Command {
    let mut command = Command::new(spark_submit);
    command.env("KUBECONFIG", "/nonexistent").env("SPARK_HOME", spark_submit.ancestors().nth(2).unwrap_or(root()));
    command.args(["--master", &format!("k8s://{}", cluster().variable("API_SERVER")), "--deploy-mode", "cluster"]);
    let settings = [
        "spark.kubernetes.submission.waitAppCompletion=false",
        "spark.kubernetes.authenticate.driver.serviceAccountName=yippee-spark",
        &format!("spark.kubernetes.namespace={}", ns.name),
        &format!("spark.kubernetes.container.image={}", cluster().spark_image()),
        "spark.driver.memory=512m",
        "spark.executor.memory=512m",
        NOWHERE,
    ];
    settings.iter().for_each(|setting| {
        command.args(["--conf", setting]);
    });
    command.args(["--name", &format!("spark-{round}")]);
    command
}

/// A token of an account that may submit: spark-submit cannot read the kubeconfig's elliptic-curve key.
fn token(ns: &Namespace) -> String {
    let api = &cluster().api;
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "benchmark"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "yippee-spark", "namespace": ns.name}],
    });
    api.apply(&binding, Some(&ns.name));
    let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
    let answer = api.create(&format!("{}/yippee-spark/token", ns.core("serviceaccounts")), &request);
    text(&answer.expect("a token")["status"]["token"])
}

/// A file with the cluster's CA certificate.
fn authority() -> PathBuf {
    let kubeconfig = Kubeconfig::read_from(&cluster().kubeconfig).expect("the kubeconfig");
    let cluster = kubeconfig.clusters.into_iter().find_map(|named| named.cluster).expect("a cluster");
    let given = cluster.certificate_authority_data.map(|data| base64::engine::general_purpose::STANDARD.decode(data));
    match (given, cluster.certificate_authority) {
        (Some(certificate), _) => {
            let path = target().join("authority.pem");
            std::fs::write(&path, certificate.expect("base64")).expect("writing the certificate");
            path
        }
        (None, path) => PathBuf::from(path.expect("an authority")),
    }
}

/// spark-submit of the Python package of Spark.
fn spark_submit() -> PathBuf {
    let home = target().join(format!("pyspark-{SPARK}"));
    let program = home.join("pyspark/bin/spark-submit");
    if !program.exists() {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"]).arg(&home);
        let fetched = pip.arg(format!("pyspark=={SPARK}")).status().expect("Python 3 with pip");
        assert!(fetched.success(), "pip could not fetch Spark {SPARK}");
    }
    program
}

fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}
