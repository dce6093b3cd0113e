//! Meanings of the exit codes of containers.

/// The usual meaning of an exit code of a Spark container. Codes over 128 are signals.
///
/// Source: `SparkExitCode` and `ExecutorExitCode` of Spark for 50 to 56; `SparkSubmit` for 101, a missing class.
pub fn exit_code_meaning(code: i32) -> Option<&'static str> {
    Some(match code {
        1 => "the program ended with an error",
        2 => "wrong arguments, or a file that cannot be opened",
        50 => "an uncaught exception",
        51 => "a second exception while handling an uncaught one",
        52 => "out of memory in the JVM (java.lang.OutOfMemoryError)",
        53 => "its local disk store could not be created",
        56 => "its heartbeats did not reach the driver",
        101 => "the main class was not found or could not be loaded",
        126 => "the command exists but cannot be executed",
        127 => "the command is not in the image",
        134 => "aborted (SIGABRT), often a crash in native code",
        137 => "killed (SIGKILL), usually because it ran out of memory",
        139 => "a crash in native code (SIGSEGV)",
        143 => "terminated (SIGTERM)",
        _ => return None,
    })
}
