#!/usr/bin/env python3
"""Write `settings.tsv`, the settings of Spark 3.0 to 4.3, by asking Spark itself.

    python3 src/spark/catalog/registry/update.py

Needs a JDK (17 or later), pip, and some 700 MB in TMPDIR. For each Spark version, one after the
other: download `pyspark` (which carries Spark's jars), have `Settings.java` print what that version
knows, and delete it again. Keys that only PySpark reads come from its Python sources. Then merge the versions into one line per key. The result depends on
nothing but the packages: running it again changes nothing. To add a Spark version, add it to
`RELEASES`, and raise `Version::NEWEST`.

`--keep DIRECTORY` keeps the jars and what was printed there, and uses what it finds there.

Columns of `settings.tsv`, separated by tabs, empty ones at the end left out:

1. key; one that ends in `.` is a family: what follows is the user's choice
2. first version that has it
3. last version that has it; empty if the newest has it
4. form of its value (see `Form::parse`); `?` if Spark reads it as plain text
5. default; `<value of KEY>` where another setting's value is taken; cut after 60 characters, with `…`
6. key that replaces it
7. version that deprecated it
8. Spark's advice about it
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
# The latest patch release of each minor version.
RELEASES = ["3.0.3", "3.1.3", "3.2.4", "3.3.4", "3.4.4", "3.5.9", "4.0.5", "4.1.4", "4.2.1", "4.3.0"]
MINORS = [tuple(map(int, release.split(".")[:2])) for release in RELEASES]
# The last minor version before each x.0.
BEFORE = {1: (0, 9), 2: (1, 6), 3: (2, 4), 4: (3, 5)}
LONGEST_DEFAULT = 60

# Tests of Spark set these; whoever else does knows why.
TEST_ONLY = re.compile(r"spark\.(sql\.)?test(ing)?(\.|$)")
TEST_FAMILIES = ["spark.sql.test.", "spark.test.", "spark.testing."]

# Prefixes in the code whose members are all settings of their own.
NOT_FAMILIES = {
    "spark.app.initial.",
    "spark.history.fs.",
    "spark.mesos.",
    "spark.port.",
    "spark.rpc.io.",
    "spark.sql.",
    "spark.sql.adaptive.",
    "spark.sql.codegen.",
    "spark.sql.execution.",
    "spark.sql.optimizer.",
    "spark.sql.shuffle.",
    "spark.sql.streaming.stateStore.",
    "spark.ssl.",
    "spark.streaming.",
}
# Families whose prefix the code does not hold as one string ending in a dot.
MORE_FAMILIES = [
    # Resources such as `gpu`.
    "spark.driver.resource.",
    "spark.executor.resource.",
    "spark.task.resource.",
    "spark.worker.resource.",
    # Queues of listeners, such as `appStatus`.
    "spark.scheduler.listenerbus.eventqueue.",
    # Options of RocksDB, with names of their own.
    "spark.sql.streaming.stateStore.rocksdb.",
    # Connectors that `pyspark` does not carry: their settings are not in its jars.
    "spark.kafka.",
    "spark.streaming.kafka.",
    "spark.streaming.kinesis.",
]

# Strings in the code that look like keys, but are no settings.
NOT_SETTINGS = {
    # Names of functions, services, events and files.
    "spark.connect.SparkConnectService",
    "spark.exit-exception",
    "spark.properties",
    "spark.sessionWindow",
    "spark.timeWindow",
    "spark.watermarkDelayMs",
    # Properties of tables and columns.
    "spark.cdc.streamingPostProcessing",
    "spark.sql.catalyst.type",
    "spark.sql.sources.schema.num",
    # Properties of a thread or a job, which Spark sets itself.
    "spark.connect.operation_id",
    "spark.job.description",
    "spark.job.interruptOnCancel",
    "spark.job.tags",
    "spark.jobGroup.id",
    "spark.rdd.scope",
    "spark.rdd.scope.noOverride",
    "spark.sql.dataset.queryExecution.id",
    "spark.sql.execution.id",
    "spark.sql.execution.query.id",
    "spark.sql.execution.root.id",
    "spark.sql.sources.writeJobUUID",
    "spark.streaming.internal.batchTime",
    "spark.streaming.internal.outputOpId",
    # Examples in the documentation of PySpark.
    "spark.some.config.float",
    "spark.some.config.number",
    "spark.some.config.option",
    # Beginnings of names, which the code completes.
    "spark.auth",
    "spark.driver",
    "spark.executor",
    "spark.kubernetes.authenticate",
    "spark.kubernetes.authenticate.driver",
    "spark.kubernetes.authenticate.driver.mounted",
    "spark.kubernetes.authenticate.executor",
    "spark.kubernetes.authenticate.submission",
    "spark.network",
    "spark.scheduler.listenerbus.eventqueue",
    "spark.sql",
    "spark.sql.streaming.stateStore.rocksdb",
    "spark.ssl",
    "spark.ssl.akka",
    "spark.ssl.rpc",
    "spark.task",
    "spark.worker",
}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--keep", type=Path, metavar="DIRECTORY")
    keep = arguments.parse_args().keep
    with tempfile.TemporaryDirectory() as temporary:
        scratch = keep.resolve() if keep else Path(temporary)
        dumps = [Dump(dumped(release, scratch, bool(keep))) for release in RELEASES]
    lines = rows(dumps)
    (HERE / "settings.tsv").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    for minor, dump in zip(MINORS, dumps):
        print(f"{minor[0]}.{minor[1]}: {len(dump.entries)} entries", file=sys.stderr)
    print(f"{len(lines)} lines", file=sys.stderr)


# Asking Spark


def dumped(release, scratch, keep):
    """What `Settings.java` prints for a release; defaults that depend on the machine are blank."""
    file = scratch / f"{release}.txt"
    if not file.exists():
        jars = scratch / release
        if not jars.exists():
            download(release, scratch, jars)
        printed = same(ask(jars, scratch, 0), ask(jars, scratch, 1))
        file.write_text(printed + (jars / "python.txt").read_text(encoding="utf-8"), encoding="utf-8")
        if not keep:
            shutil.rmtree(jars)
    return file.read_text(encoding="utf-8").splitlines()


def download(release, scratch, jars):
    print(f"downloading pyspark {release}", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=scratch) as directory:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        subprocess.run([*pip, "--dest", directory, f"pyspark=={release}"], check=True)
        unpacked = Path(directory) / "jars"
        unpacked.mkdir()
        keys = set()
        with tarfile.open(next(Path(directory).glob("pyspark-*.tar.gz"))) as package:
            for member in package:
                if re.fullmatch(r"[^/]+/deps/jars/[^/]+\.jar", member.name):
                    member.name = Path(member.name).name
                    package.extract(member, unpacked)
                elif re.fullmatch(r"[^/]+/pyspark/(?!.*\btests?\b).*\.py", member.name):
                    source = package.extractfile(member).read().decode("utf-8")
                    keys.update(re.findall(r"""["'](spark\.[A-Za-z0-9._-]+)["']""", source))
        lines = "".join(f"constant\t{key}\n" for key in sorted(keys))
        (unpacked / "python.txt").write_text(lines, encoding="utf-8")
        unpacked.rename(jars)


def ask(jars, scratch, machine):
    """Run `Settings.java` as if on one of two machines that differ in what defaults depend on."""
    directory = scratch / f"machine{machine}"
    directory.mkdir(exist_ok=True)
    # Spark before 3.3 does not open these by itself on Java 17.
    opened = ["java.lang", "java.lang.invoke", "java.nio", "java.util", "jdk.internal.ref", "sun.nio.ch"]
    command = [
        "java",
        f"-Duser.timezone={['UTC', 'Asia/Tokyo'][machine]}",
        f"-Duser.name=user{machine}",
        f"-XX:ActiveProcessorCount={machine + 1}",
        *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in opened),
        "-cp",
        f"{jars}/*",
        str(HERE / "Settings.java"),
        *sorted(map(str, jars.glob("spark-*.jar"))),
    ]
    environment = {**os.environ, "SPARK_LOCAL_IP": f"127.0.0.{machine + 1}", "SPARK_LOCAL_HOSTNAME": f"host{machine}"}
    done = subprocess.run(command, cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in done.stderr.splitlines():
        if line.startswith("cannot initialize"):
            print(line, file=sys.stderr)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return done.stdout


def same(one, other):
    lines = []
    for left, right in zip(one.splitlines(), other.splitlines(), strict=True):
        left, right = left.split("\t"), right.split("\t")
        if left != right and left[0] == "entry":
            left[3] = ""
        lines.append("\t".join(left))
    return "\n".join(lines) + "\n"


class Dump:
    """What one version of Spark knows."""

    def __init__(self, lines):
        self.entries, self.constants = {}, set()
        self.replaced, self.advice, self.removed = {}, {}, {}
        for line in lines:
            kind, key, *rest = line.split("\t")
            if kind == "entry":
                form, default, version, _internal, alternatives = rest
                self.entries[key] = (form, default, version)
                for alternative in alternatives.split():
                    self.replaced[alternative] = (key, None)
            elif kind == "constant":
                self.constants.add(key)
            elif kind == "renamed":
                self.replaced.setdefault(key, tuple(rest))
            else:
                {"deprecated": self.advice, "removed": self.removed}[kind][key] = tuple(rest)

    def keys(self):
        """The keys that have an effect, or are translated to one that has."""
        return self.entries.keys() | self.replaced.keys() | (self.constants - self.removed.keys())


# Merging the versions


def rows(dumps):
    lives = defaultdict(list)
    for minor, dump in zip(MINORS, dumps):
        for key in dump.keys():
            lives[key].append(minor)
        for key, (version, _) in (dump.advice | dump.removed).items():
            lives.setdefault(key, [])
    lines = [
        row(key, lives[key], dumps)
        for key in lives
        if not (TEST_ONLY.match(key) or key in NOT_SETTINGS or key.endswith("."))
    ]
    lines += ["\t".join([family, text(first), "", "family"]) for family, first in families(lives)]
    return sorted(lines)


def families(lives):
    """Prefixes that a user completes, with the first version that has them."""
    found = [key for key in lives if key.endswith(".") and key not in NOT_FAMILIES and not TEST_ONLY.match(key)]
    all_families = {*found, *MORE_FAMILIES, *TEST_FAMILIES}
    for family in sorted(all_families):
        if not any(family.startswith(wider) for wider in all_families - {family}):
            yield family, min(lives.get(family, MINORS))


def row(key, lived, dumps):
    entries = [dump.entries.get(key) or alias(key, dump) for dump in dumps]
    entries = [entry for entry in entries if entry]
    replaced = [(minor, dump.replaced[key]) for minor, dump in zip(MINORS, dumps) if key in dump.replaced]
    advice = [(dump.removed.get(key) or dump.advice.get(key)) for dump in dumps]
    advice = next((each for each in reversed(advice) if each), None)
    since, until = lifetime(lived, entries, advice)
    successor, deprecated = succession(key, replaced, advice, dumps)
    if deprecated and since >= deprecated and not entries:
        since = before(deprecated)  # The oldest version looked at is no longer the first that has it.
    note = advice[1].replace("\t", " ") if advice else ""
    default = entries[-1][1] if entries else ""
    fields = [
        key,
        text(since),
        "" if until == MINORS[-1] else text(until),
        widest(key, [entry[0] for entry in entries]),
        default if len(default) <= LONGEST_DEFAULT else default[:LONGEST_DEFAULT] + "…",
        successor,
        text(deprecated) if deprecated else "",
        note,
    ]
    return "\t".join(fields).rstrip("\t")


def alias(key, dump):
    """An old key that is read just as the one that replaces it has its form."""
    successor, version = dump.replaced.get(key, (None, None))
    # One that SparkConf translates may have had another unit.
    return (dump.entries[successor][0], "", "") if successor and version is None else None


def lifetime(lived, entries, advice):
    if not lived:  # Only advice is left of it.
        last = before(minor(advice[0]))
        return last, last
    declared = [minor(entry[2]) for entry in entries if entry[2]]
    return min([lived[0], *declared]), lived[-1]


def succession(key, replaced, advice, dumps):
    """The key that replaces this one, and since when."""
    newest = dumps[-1].keys()
    successor = replaced[-1][1][0] if replaced else ""
    deprecated = None
    if replaced:
        first, (_, declared) = replaced[0]
        deprecated = minor(declared) if declared else first
    if advice:
        deprecated = deprecated or minor(advice[0])
        named = [name.rstrip(".") for name in re.findall(r"spark\.[\w.]+", advice[1])]
        successor = successor or next((name for name in named if name in newest and name != key), "")
    return successor, deprecated


def minor(version):
    numbers = [int(number) for number in version.split(".")[:2]]
    return tuple(numbers)


def before(version):
    major, of_major = version
    return (major, of_major - 1) if of_major else BEFORE[major]


def text(version):
    return f"{version[0]}.{version[1]}"


# Forms


def widest(key, forms):
    """One form that takes what each version takes."""
    if not forms:
        return "?"
    result = forms[-1]
    for form in set(forms[:-1]) - {result}:
        result = wider(result, form)
        if result is None:
            print(f"{key}: no common form of {sorted(set(forms))}", file=sys.stderr)
            return "text"
    return result


def wider(newer, older):
    new, old = Form(newer), Form(older)
    if new.list != old.list:
        return None
    if "choice" in (new.base, old.base):
        choices = [part.choices if part.base == "choice" else ["true", "false"] for part in (new, old)]
        if not {new.base, old.base} <= {"choice", "boolean"}:
            return None
        case = "/i" if new.case or old.case or new.base != old.base else ""
        return new.list + f"choice{case}:" + "|".join(sorted({*choices[0], *choices[1]}))
    minimum = "" if "" in (new.minimum, old.minimum) else min(new.minimum, old.minimum)
    order = ["int", "long", "double", "time", "bytes", "text"]
    if new.base != old.base and (new.base not in order or old.base not in order or order.index(new.base) < order.index(old.base)):
        return None
    return new.list + new.base + (f":{new.unit}" if new.unit else "") + minimum


class Form:
    def __init__(self, form):
        self.list = "list:" if form.startswith("list:") else ""
        form = form.removeprefix("list:")
        self.base, self.case, self.choices, self.unit, self.minimum = form, "", [], "", ""
        if form.startswith("choice"):
            head, choices = form.split(":", 1)
            self.base, self.case, self.choices = "choice", head.removeprefix("choice"), choices.split("|")
            return
        if ">" in form:
            form, minimum = form.split(">")
            self.minimum = ">" + minimum
        self.base, _, self.unit = form.partition(":")


if __name__ == "__main__":
    main()
