use std::borrow::Cow;

/// The CI system to write for, beside the lines for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Ci {
    /// The system that sparkctl runs in, if any
    #[default]
    Auto,
    /// GitHub Actions: groups, annotations, step summary and outputs
    Github,
    /// GitLab CI: sections
    Gitlab,
    /// No CI system
    None,
}

impl Ci {
    /// The system itself instead of `Auto`. `variable` reads an environment variable.
    pub fn detected(self, variable: impl Fn(&str) -> Option<String>) -> Ci {
        let is_set = |name: &str| variable(name).is_some_and(|value| value == "true");
        match self {
            Ci::Auto if is_set("GITHUB_ACTIONS") => Ci::Github,
            Ci::Auto if is_set("GITLAB_CI") => Ci::Gitlab,
            Ci::Auto => Ci::None,
            chosen => chosen,
        }
    }

    /// The command that folds the following lines under a title.
    pub fn section_start(self, name: &str, title: &str, seconds: i64) -> Option<String> {
        match self {
            Ci::Github => Some(format!("::group::{title}")),
            Ci::Gitlab => Some(format!("\x1b[0Ksection_start:{seconds}:{name}[collapsed=true]\r\x1b[0K{title}")),
            Ci::Auto | Ci::None => None,
        }
    }

    pub fn section_end(self, name: &str, seconds: i64) -> Option<String> {
        match self {
            Ci::Github => Some("::endgroup::".into()),
            Ci::Gitlab => Some(format!("\x1b[0Ksection_end:{seconds}:{name}\r\x1b[0K")),
            Ci::Auto | Ci::None => None,
        }
    }

    /// A log line that GitHub does not take for a command, as it would any line that looks like one.
    pub fn harmless(self, line: &[u8]) -> Cow<'_, [u8]> {
        let is_command = line.trim_ascii_start().starts_with(b"::") || line.windows(3).any(|window| window == b"##[");
        if self != Ci::Github || !is_command {
            return Cow::Borrowed(line);
        }
        let text = String::from_utf8_lossy(line).replace("##[", "## [");
        Cow::Owned([b"| ", text.as_bytes()].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::Ci;

    #[test]
    fn detects_the_ci_system_unless_one_is_chosen() {
        let github = |name: &str| (name == "GITHUB_ACTIONS").then(|| "true".to_owned());
        assert_eq!(Ci::Auto.detected(github), Ci::Github);
        assert_eq!(Ci::None.detected(github), Ci::None);
        assert_eq!(Ci::Auto.detected(|_| None), Ci::None);
    }

    #[test]
    fn folds_in_each_dialect() {
        assert_eq!(Ci::Github.section_start("log", "Driver log", 7).as_deref(), Some("::group::Driver log"));
        assert_eq!(
            Ci::Gitlab.section_start("log", "Driver log", 7).as_deref(),
            Some("\x1b[0Ksection_start:7:log[collapsed=true]\r\x1b[0KDriver log")
        );
        assert_eq!(Ci::Gitlab.section_end("log", 9).as_deref(), Some("\x1b[0Ksection_end:9:log\r\x1b[0K"));
    }

    #[test]
    fn log_lines_are_not_commands() {
        assert_eq!(&*Ci::Github.harmless(b" ::set-output name=a::b\n"), b"|  ::set-output name=a::b\n");
        assert_eq!(&*Ci::Github.harmless(b"x ##[error]y\n"), b"| x ## [error]y\n");
        assert_eq!(&*Ci::Github.harmless(b"a::b\n"), b"a::b\n");
        assert_eq!(&*Ci::None.harmless(b"::x\n"), b"::x\n");
    }
}
