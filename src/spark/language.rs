//! The languages of applications.

/// The language of an application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    #[default]
    Scala,
    Java,
    Python,
    R,
}

impl Language {
    pub const ALL: [Language; 4] = [Self::Scala, Self::Java, Self::Python, Self::R];

    /// The names of all languages, as `type` of a job file has them.
    pub const WORDS: &'static [&'static str] = &["Scala", "Java", "Python", "R"];

    /// The name of the language.
    pub fn word(self) -> &'static str {
        match self {
            Self::Scala => "Scala",
            Self::Java => "Java",
            Self::Python => "Python",
            Self::R => "R",
        }
    }

    /// The language of that name.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.word() == word)
    }

    /// The language of a main file where Spark sees it by the file's name: Python or R. Case counts, and nothing but
    /// the end does.
    ///
    /// Source: `SparkSubmit.isPython` and `isR` of Spark.
    pub fn of_main_file(name: &str) -> Option<Self> {
        match name.rsplit_once('.')?.1 {
            "py" => Some(Self::Python),
            "R" | "r" => Some(Self::R),
            _ => None,
        }
    }

    /// Whether a process of another language runs beside the JVM, with its memory outside of the heap.
    pub fn is_foreign(self) -> bool {
        matches!(self, Self::Python | Self::R)
    }

    /// The value of `spark.kubernetes.resource.type`.
    ///
    /// Source: `DriverCommandFeatureStep` of Spark.
    pub fn resource_type(self) -> &'static str {
        match self {
            Self::Java | Self::Scala => "java",
            Self::Python => "python",
            Self::R => "r",
        }
    }

    /// The class that runs a main file that is not a jar.
    ///
    /// Source: `SparkSubmit.prepareSubmitEnvironment` of Spark.
    pub fn runner_class(self) -> Option<&'static str> {
        match self {
            Self::Python => Some("org.apache.spark.deploy.PythonRunner"),
            Self::R => Some("org.apache.spark.deploy.RRunner"),
            Self::Java | Self::Scala => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Language;

    #[test]
    fn the_end_of_a_main_files_name_decides() {
        let of = Language::of_main_file;
        assert_eq!(
            (of("local:///a.py"), of("a.r"), of("a.R")),
            (Some(Language::Python), Some(Language::R), Some(Language::R))
        );
        assert_eq!((of("a.jar"), of("a.PY"), of("py"), of("")), (None, None, None, None));
    }

    #[test]
    fn words_are_those_of_all_languages() {
        assert_eq!(Language::ALL.map(Language::word), Language::WORDS);
        assert_eq!(Language::ALL.map(|language| Language::of_word(language.word())), Language::ALL.map(Some));
    }
}
