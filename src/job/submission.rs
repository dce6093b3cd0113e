//! What identifies one submission of a job.

/// One submission of a job: what distinguishes it from all others. It comes from outside, so that translation itself
/// is pure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// 32 hexadecimal digits, unique. A UUID of version 7 also contains the time of the submission.
    pub id: String,
    /// The user who submits, `SPARK_USER`.
    pub user: String,
    /// The user's name for this run: a second submission with the same key is the same run.
    pub key: Option<String>,
}

impl Submission {
    /// Spark's application id.
    pub fn application(&self) -> String {
        format!("spark-{}", self.id)
    }

    /// The last digits of the id, for the names of objects.
    pub fn short(&self) -> &str {
        &self.id[self.id.len().saturating_sub(8)..]
    }

    /// The id in the form of a UUID.
    pub fn uuid(&self) -> String {
        let id = format!("{:0>32}", self.id);
        [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..32]].join("-")
    }

    /// Milliseconds from 1970 to the submission, if the id contains them (RFC 9562, version 7).
    pub fn milliseconds(&self) -> Option<u64> {
        (self.id.len() == 32 && self.id.as_bytes()[12] == b'7')
            .then(|| u64::from_str_radix(&self.id[..12], 16).ok())
            .flatten()
    }
}
