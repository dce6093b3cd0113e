//! The version of Spark that runs the job: what it expects differs from 3.0 to 4.3.

/// Major and minor version of Spark. Patch releases create the same objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

impl Version {
    /// What is assumed when `sparkVersion` does not say: the last 3.x, whose objects every
    /// later version takes.
    pub const ASSUMED: Version = Version(3, 5);
    /// The oldest whose driver runs from what is created here.
    pub const OLDEST: Version = Version(3, 0);
    /// The newest whose submission was compared with ours.
    pub const NEWEST: Version = Version(4, 3);

    /// Reads `3.5.1`, `v3.5`, `3.5.1-scala2.12`: people write what their image is called.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.trim().trim_start_matches(['v', 'V']).splitn(3, '.');
        let number = |part: &str| {
            let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        };
        Some(Self(number(numbers.next()?)?, number(numbers.next()?)?))
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn reads_what_people_write() {
        assert_eq!(Version::parse("3.0.0"), Some(Version(3, 0)));
        assert_eq!(Version::parse("v3.5.1-scala2.12-java17"), Some(Version(3, 5)));
        assert_eq!(Version::parse("4.1"), Some(Version(4, 1)));
        assert_eq!(Version::parse("latest"), None);
        assert_eq!(Version::parse("3"), None);
        assert!(Version(3, 10) > Version(3, 9));
    }
}
