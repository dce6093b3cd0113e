//! Uploads to a WebDAV server, and to a folder that the pods mount.

use predicates::prelude::*;
use predicates::str::contains;

use crate::support::Namespace;
use crate::support::jars::{LOUD, application, of_application};
use crate::support::stores::{HOST, Server};

#[test]
fn runs_a_large_jar_from_a_web_server() {
    let ns = Namespace::new("own-web");
    let (folder, root) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let jar = application(folder.path(), 12 << 20);
    // wsgidav from PyPI.
    let (_server, address) = Server::start(|port| {
        let module = ["-m", "wsgidav.server.server_cli", "--auth", "anonymous", "--host", HOST, "--port"];
        let mut command = Server::python(&module);
        command.arg(port.to_string()).arg("--root").arg(root.path());
        command
    });
    let store = format!("{address}/team/jars");
    let run = of_application(&ns, "loud", &jar).args(["--logs", "--upload", &store]).args(LOUD).assert();
    let message = contains(format!("uploaded loud.jar (12.00 MiB) to {store}/"));
    run.code(0).stdout(contains("loud: [OWN, JAR]")).stderr(message);
    let run = of_application(&ns, "again", &jar).args(["--upload", &store, "--detach"]).args(LOUD).assert();
    run.code(0).stderr(contains(format!("loud.jar (12.00 MiB) is already at {store}/")));
}

#[test]
fn explains_a_server_that_accepts_no_files() {
    let ns = Namespace::new("own-reader");
    let folder = tempfile::tempdir().expect("a folder");
    let jar = application(folder.path(), 9 << 20);
    let (_server, address) = Server::start(|port| {
        let mut command = Server::python(&["-m", "http.server", "--bind", HOST]);
        command.arg(port.to_string());
        command
    });
    let run = of_application(&ns, "loud", &jar).args(["--upload", &address]).args(LOUD).assert();
    let message = contains("501 Not Implemented").count(1).and(contains("hint: this server accepts no files"));
    run.code(3).stderr(message);
    assert_eq!(ns.left(), [""; 0]);
}

#[test]
fn runs_a_large_jar_from_a_mounted_folder() {
    let ns = Namespace::new("own-folder");
    let (folder, store) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let jar = application(folder.path(), 3 << 20);
    // The nodes are this machine.
    std::fs::set_permissions(store.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("opening it");
    let path = store.path().display().to_string();
    let mut command = of_application(&ns, "loud", &jar);
    for role in ["driver", "executor"] {
        let volume = format!("spark.kubernetes.{role}.volumes.hostPath.store");
        command.args(["--conf", &format!("{volume}.mount.path={path}")]);
        command.args(["--conf", &format!("{volume}.options.path={path}")]);
    }
    let run = command.args(["--logs", "--upload", &format!("file://{path}")]).args(LOUD).assert();
    let message = contains(format!("uploaded loud.jar (3.00 MiB) to file://{path}/"));
    run.code(0).stdout(contains("loud: [OWN, JAR]")).stderr(message);
}
