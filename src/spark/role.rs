//! The roles of an application's pods.

/// The role of a pod: driver or executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Driver,
    Executor,
}

impl Role {
    /// The word that Spark's settings and labels have for it.
    pub fn word(self) -> &'static str {
        match self {
            Role::Driver => "driver",
            Role::Executor => "executor",
        }
    }
}
