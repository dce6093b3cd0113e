//! The files that a job names, and where it does.

use super::Job;
use crate::diagnostic::Problem;
use crate::spark::catalog;

/// A file that a job names: how it is written, and in which field.
#[derive(Debug, PartialEq)]
pub struct Named {
    pub uri: String,
    pub field: Field,
    /// The setting that it is listed in; none of the main file.
    pub list: Option<&'static str>,
}

/// Where a file is named.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    /// A field of the specification, by its path.
    Path(String),
    /// A setting, by its key.
    Setting(&'static str),
}

impl Job {
    /// The files that the job names, the main one first.
    pub fn named_files(&self) -> Vec<Named> {
        let conf = self.settings("default");
        let deps = &self.spec.deps;
        let main = self.spec.main_application_file.iter().filter(|file| !file.is_empty());
        let field = || Field::Path("spec.mainApplicationFile".into());
        let main = main.map(|uri| Named { uri: uri.clone(), field: field(), list: None });
        let lists = catalog::file_lists().flat_map(|row| {
            let (key, field) = (row.key, row.field.unwrap_or_default());
            let written: &[String] = match field {
                "spec.deps.jars" => &deps.jars,
                "spec.deps.files" => &deps.files,
                "spec.deps.pyFiles" => &deps.py_files,
                _ => &deps.archives,
            };
            let named = conf.list(key).into_iter().map(|uri| {
                let index = written.iter().position(|other| other == uri);
                let field = index.map(|index| Field::Path(format!("{field}[{index}]")));
                Named { uri: uri.to_owned(), field: field.unwrap_or(Field::Setting(key)), list: Some(key) }
            });
            named.collect::<Vec<_>>()
        });
        main.chain(lists).collect()
    }

    /// A problem of a field, at the place where it was written.
    pub fn field_problem(&self, field: &Field, problem: Problem) -> Problem {
        match field {
            Field::Path(path) => self.located(problem.at_field(path.clone())),
            Field::Setting(key) => self.setting_problem(key, problem),
        }
    }
}
