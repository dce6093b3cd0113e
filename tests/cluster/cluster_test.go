package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestPicksDocumentsByKind(t *testing.T) {
	// Trailing blanks, labels before the name and nested names, as Volcano's manifest has them.
	manifest := `# a comment
---
kind: Deployment
metadata:
  name: not-wanted
---
# Source: x.yaml
apiVersion: v1
kind: Wanted  
metadata:
  annotations:
    name: not-this
  name: first  
spec:
  name: nor-this
---
kind: Wanted
metadata:
  name: "second"
`
	picked := pick(manifest, map[string]string{"Wanted": "/wanted/"})
	var paths []string
	for _, one := range picked {
		paths = append(paths, one.path)
	}
	if want := []string{"/wanted/first", "/wanted/second"}; !reflect.DeepEqual(paths, want) {
		t.Errorf("picked %q, not %q", paths, want)
	}
}

func TestKnowsSparkVersions(t *testing.T) {
	for given, want := range map[string]string{"4.1": currentSpark, "3.5": "3.5.9", "3.5.1": "3.5.1", "3.5-r": "3.5.9-r"} {
		if version, err := sparkVersion(given); err != nil || version != want {
			t.Errorf("%s is %s (%v), not %s", given, version, err, want)
		}
	}
	for _, given := range []string{"", "4", "2.4.8", "latest", "4.1.4-preview", "9.9", "3.0-r"} {
		if version, err := sparkVersion(given); err == nil {
			t.Errorf("%q is taken for %s", given, version)
		}
	}
	if releaseFor("3.2.4").suite != "bullseye" || releaseFor("3.5.9").suite != "bookworm" {
		t.Error("a Spark is on a Debian whose Java it cannot run on")
	}
}

func TestPlacesSparksFiles(t *testing.T) {
	for from, want := range map[string]string{
		"deps/bin/spark-submit":     "opt/spark/bin/spark-submit",
		"deps/bin/spark-submit.cmd": "",
		"deps/jars/x.jar":           "opt/spark/jars/x.jar",
		"deps/examples/pi.py":       "opt/spark/examples/src/main/python/pi.py",
		"lib/pyspark.zip":           "opt/spark/python/lib/pyspark.zip",
		"pyspark/sql/session.py":    "opt/spark/python/pyspark/sql/session.py",
		"setup.py":                  "",
	} {
		if path, _ := placeInSpark(from); path != want {
			t.Errorf("%s goes to %q, not %q", from, path, want)
		}
	}
}

func TestNamesInTheRegistryHaveNoHost(t *testing.T) {
	name, tag := seedImage().repository()
	if name != "spark-operator/spark-py" || tag != "v3.0.0" {
		t.Errorf("%s:%s", name, tag)
	}
}

func TestTarballsDependOnContentAlone(t *testing.T) {
	root := t.TempDir()
	write := func(path, content string) {
		if err := os.WriteFile(filepath.Join(root, path), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("b", "content")
	write("left", "out")
	if err := os.Link(filepath.Join(root, "b"), filepath.Join(root, "c")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("b", filepath.Join(root, "a")); err != nil {
		t.Fatal(err)
	}
	pack := func() []byte {
		var bytes bytes.Buffer
		out := &tarball{Writer: tar.NewWriter(&bytes), folders: map[string]bool{}}
		if err := out.tree(root, func(path string) bool { return path == "left" }); err != nil {
			t.Fatal(err)
		}
		if err := out.text("deep/below/file", 0o600, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		return bytes.Bytes()
	}
	first := pack()
	write("b", "content") // another time of change
	if !bytes.Equal(first, pack()) {
		t.Error("the same content makes other bytes")
	}
	var names []string
	for in := tar.NewReader(bytes.NewReader(first)); ; {
		header, err := in.Next()
		if err != nil {
			break
		}
		names = append(names, string(header.Typeflag)+header.Name+">"+header.Linkname)
	}
	if want := "2a>b 0b> 1c>b 5deep/> 5deep/below/> 0deep/below/file>"; strings.Join(names, " ") != want {
		t.Errorf("packed %q, not %q", strings.Join(names, " "), want)
	}
}

func TestFlagsMayComeAfterOperands(t *testing.T) {
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	open := flags.Bool("open", false, "")
	operands, err := parse(flags, []string{"3", "--open"})
	if err != nil || !*open || !reflect.DeepEqual(operands, []string{"3"}) {
		t.Errorf("%q %v %v", operands, *open, err)
	}
}

func TestNodesHaveDisjointPods(t *testing.T) {
	if nodes[0].pods == nodes[1].pods || nodes[0].address == nodes[1].address {
		t.Error("the nodes share addresses")
	}
}

func TestTogetherStopsAtTheFirstFailure(t *testing.T) {
	failure := os.ErrInvalid
	err := together(t.Context(),
		func(context.Context) error { return failure },
		func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	)
	if err != failure {
		t.Errorf("the error is %v", err)
	}
}

func TestKeepsTheLastLines(t *testing.T) {
	if got := lastLines([]byte("a\nb\nc\n"), 2); got != "    b\n    c" {
		t.Errorf("%q", got)
	}
}

func TestSaysWhatControlGroupsLack(t *testing.T) {
	for _, one := range []struct {
		facts cgroupFacts
		want  string // a part of the message; nothing: they will do
	}{
		{cgroupFacts{unified: true, has: []string{"cpuset", "cpu", "io", "memory", "hugetlb", "pids"}}, ""},
		{cgroupFacts{unified: true, has: []string{"cpuset", "cpu", "memory", "pids"}}, ""},
		{cgroupFacts{unified: true, has: []string{"cpu", "io", "memory"}}, "and cpuset, pids cannot be handed down: run it on"},
		{cgroupFacts{unified: true}, "and cpuset, cpu, memory, pids cannot be handed down"},
		{cgroupFacts{unified: true, failure: os.ErrPermission}, "(version 2) in /sys/fs/cgroup, and may not: permission denied"},
		{cgroupFacts{has: []string{"blkio", "cpu", "cpuacct", "cpuset", "memory", "pids", "unified"}}, ""},
		{cgroupFacts{has: []string{"cpu", "cpuacct", "memory"}}, "(version 1), and cpuset, pids is missing"},
		{cgroupFacts{has: []string{"cpu"}, failure: os.ErrPermission}, "(version 1) in /sys/fs/cgroup, and may not"},
	} {
		err := one.facts.fault()
		if one.want == "" && err != nil || one.want != "" && (err == nil || !strings.Contains(err.Error(), one.want)) {
			t.Errorf("%+v: %v, not %q", one.facts, err, one.want)
		}
	}
}

// A folder that looks like a mount of control groups.
func TestLooksAtControlGroupsOfBothVersions(t *testing.T) {
	mount := t.TempDir()
	for _, hierarchy := range []string{"cpu", "memory"} {
		if err := write(filepath.Join(mount, hierarchy, "cgroup.procs"), ""); err != nil {
			t.Fatal(err)
		}
	}
	facts, err := lookAtCgroups(mount)
	if want := (cgroupFacts{has: []string{"cpu", "memory"}}); err != nil || !reflect.DeepEqual(facts, want) {
		t.Errorf("%+v (%v), not %+v", facts, err, want)
	}
	if err := write(filepath.Join(mount, "cgroup.controllers"), "cpu memory\n"); err != nil {
		t.Fatal(err)
	}
	facts, err = lookAtCgroups(mount)
	// Only a kernel puts files into a new group.
	if err != nil || !facts.unified || facts.fault() == nil {
		t.Errorf("%+v (%v)", facts, err)
	}
	if _, err := lookAtCgroups(t.TempDir()); err == nil {
		t.Error("an empty folder is taken for control groups")
	}
	if entries, _ := filepath.Glob(filepath.Join(mount, "*-check")); len(entries) > 0 {
		t.Errorf("%q is left", entries)
	}
}

func TestSaysHowFarAStepIs(t *testing.T) {
	progress := func() string { return "3 of 9 programs" }
	for _, one := range []struct {
		elapsed  time.Duration
		progress func() string
		want     string
	}{
		{30 * time.Second, nil, "building … (30 s so far)"},
		{125 * time.Second, progress, "building … (3 of 9 programs, 2 min so far)"},
	} {
		if got := soFar("building", one.elapsed, one.progress); got != one.want {
			t.Errorf("%q, not %q", got, one.want)
		}
	}
}

func TestTakesPackagesThatTheDistributionHasInAVersionThatWillDo(t *testing.T) {
	policy := func(candidate string) func(string) string {
		return func(string) string { return "awscli:\n  Installed: (none)\n  Candidate: " + candidate + "\n" }
	}
	aws := requirement{debs: []string{"awscli"}, version: "2.9"}
	for candidate, want := range map[string]string{
		"2.9.19-1": "awscli", "2.23.6-1": "awscli", "1.22.34-1": "", "(none)": "",
	} {
		if got := aws.candidate(policy(candidate)); got != want {
			t.Errorf("%s: %q, not %q", candidate, got, want)
		}
	}
	if got := aws.candidate(func(string) string { return "" }); got != "" {
		t.Errorf("an unknown package is %q", got)
	}
}

func TestUnpacksAnArchive(t *testing.T) {
	var packed bytes.Buffer
	out := zip.NewWriter(&packed)
	header := &zip.FileHeader{Name: "aws/dist/aws"}
	header.SetMode(0o755)
	file, err := out.CreateHeader(header)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write([]byte("#!/bin/sh\n")); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	archive := filepath.Join(folder, "aws.zip")
	if err := os.WriteFile(archive, packed.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := unzip(archive, filepath.Join(folder, "unpacked")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(folder, "unpacked/aws/dist/aws")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("%v (%v)", info, err)
	}
}
