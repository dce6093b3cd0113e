//! `deps`: what the application needs beside its main file.

use super::schema::section;
use crate::spark::Conf;

section! {
    /// Dependencies. `local:///path` is a path inside the image, `./path` one of this machine beside the job
    /// file, which travels along.
    pub struct Deps {
        /// Jars for the class paths of driver and executors.
        jars: Vec<String> => "spark.jars",
        /// Files for the working directories of the executors.
        files: Vec<String> => "spark.files",
        /// Python files, zips and eggs for the Python path; a folder of this machine travels as a zip.
        py_files: Vec<String> => "spark.submit.pyFiles",
        /// Archives, unpacked into the working directories of the executors.
        archives: Vec<String> => "spark.archives",
        /// Maven coordinates that the driver fetches at its start.
        packages: Vec<String> => "spark.jars.packages",
        /// Coordinates, `group:artifact`, that are left out of what the packages need.
        exclude_packages: Vec<String> => "spark.jars.excludes",
        /// Further repositories for the packages.
        repositories: Vec<String> => "spark.jars.repositories",
    }
}

impl Deps {
    pub fn settings(&self, conf: &mut Conf) {
        for (key, list) in [
            ("spark.jars", &self.jars),
            ("spark.files", &self.files),
            ("spark.submit.pyFiles", &self.py_files),
            ("spark.archives", &self.archives),
            ("spark.jars.packages", &self.packages),
            ("spark.jars.excludes", &self.exclude_packages),
            ("spark.jars.repositories", &self.repositories),
        ] {
            if !list.is_empty() {
                conf.set(key, list.join(","));
            }
        }
    }
}
