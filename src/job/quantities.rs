//! Amounts in Spark's and in Kubernetes' notation.

use super::schema::{Kind, Read, Reader};
use super::yaml::Node;
use crate::diagnostic::Problem;
use crate::kubernetes::quantity;
use crate::spark::{Memory, memory};

/// A quantity as Kubernetes writes it: `500m`, `2`, `1.5Gi`. Kept as it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quantity(pub String);

/// The form of a quantity, in words.
pub const QUANTITY: &str = "a quantity as Kubernetes writes it (`500m`, `2`, `1Gi`)";

impl Read for Quantity {
    const REQUIRED: bool = true;

    fn kind() -> Kind {
        Kind::Form(QUANTITY)
    }

    fn read(node: &Node, reader: &mut Reader) -> Self {
        match node.text() {
            Some(text) => {
                if let Err(message) = quantity::check(text) {
                    reader.error(node, message);
                }
                Self(text.to_owned())
            }
            None => {
                reader.error(node, format!("expected {}, found {}", Self::kind().words(), node.found()));
                Self::default()
            }
        }
    }
}

impl Read for Memory {
    fn kind() -> Kind {
        Kind::Form(memory::FORM)
    }

    fn read(node: &Node, reader: &mut Reader) -> Self {
        let text = node.text().unwrap_or_default();
        if let Err(problem) = memory::check(text) {
            let found = if text.is_empty() {
                Problem::error(format!("expected {}, found {}", memory::FORM, node.found()))
            } else {
                problem
            };
            reader.push(found.at(node.place));
        }
        Self(text.to_owned())
    }
}

/// A memory limit in either notation: the operator reads `2g` as `2Gi`, and else a quantity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryLimit(pub String);

impl MemoryLimit {
    /// The limit as Kubernetes writes it. `1G` is 1 GiB here, for so the operator reads it.
    pub fn quantity(&self) -> String {
        let text = self.0.trim();
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        match text[digits.len()..].to_ascii_lowercase().as_str() {
            "k" | "kb" => format!("{digits}Ki"),
            "m" | "mb" => format!("{digits}Mi"),
            "g" | "gb" => format!("{digits}Gi"),
            "t" | "tb" => format!("{digits}Ti"),
            "p" | "pb" => format!("{digits}Pi"),
            _ => text.to_owned(),
        }
    }
}

impl Read for MemoryLimit {
    fn kind() -> Kind {
        Kind::Form("an amount of memory (`2g` or `2Gi`)")
    }

    fn read(node: &Node, reader: &mut Reader) -> Self {
        let text = node.text().unwrap_or_default();
        let limit = Self(text.to_owned());
        if memory::mebibytes(text).is_none() && quantity::check(&limit.quantity()).is_err() {
            let problem = Problem::error(format!("expected {}, found {}", Self::kind().words(), node.found()));
            reader.push(problem.at(node.place));
        }
        limit
    }
}

#[cfg(test)]
mod tests {
    use super::MemoryLimit;

    #[test]
    fn reads_a_memory_limit_as_the_operator_does() {
        for (text, expected) in
            [("1G", "1Gi"), ("512m", "512Mi"), ("2Gi", "2Gi"), ("1048576", "1048576"), ("3tb", "3Ti")]
        {
            assert_eq!(MemoryLimit(text.into()).quantity(), expected);
        }
    }
}
