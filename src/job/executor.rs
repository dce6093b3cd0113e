//! `executor`.

use super::role::RoleSpec;
use super::schema::{Positive, section};
use crate::spark::Conf;
use crate::spark::Role;

section! {
    /// The executors.
    pub struct Executor {
        ..role: RoleSpec,
        /// How many, unless allocation is dynamic.
        instances: Option<Positive> => "spark.executor.instances",
        /// Whether executors' pods are deleted when they end.
        delete_on_termination: Option<bool> => "spark.kubernetes.executor.deleteOnTermination",
    }
}

impl Executor {
    pub fn settings(&self, conf: &mut Conf) {
        conf.set_some("spark.executor.instances", self.instances.map(|instances| *instances));
        conf.set_some("spark.kubernetes.executor.deleteOnTermination", self.delete_on_termination);
        self.role.settings(Role::Executor, conf);
        conf.set_some("spark.kubernetes.executor.scheduler.name", self.role.scheduler_name.as_ref());
    }
}
