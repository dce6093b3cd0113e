package main

import (
	"archive/tar"
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
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
