package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const currentSpark = "4.1.4"

// A minor version stands for its last release.
var lastRelease = map[string]string{"4.1": currentSpark, "4.0": "4.0.5", "3.5": "3.5.9", "3.0": "3.0.0"}

var fullVersion = regexp.MustCompile(`^\d+\.\d+\.\d+$`)

// What a version ends with if its image is to have R too.
const withR = "-r"

func sparkVersion(given string) (string, error) {
	version, hasR := strings.CutSuffix(given, withR)
	if last, ok := lastRelease[version]; ok {
		version = last
	}
	if !fullVersion.MatchString(version) {
		return "", fmt.Errorf("%q is not a Spark version: 4.1.4, say, or 3.5, or 3.5-r for one with R", given)
	}
	if major, _ := minor(version); major < 3 {
		return "", fmt.Errorf("Spark %s runs on no Java that Debian still has: 3.0.0 is the first that does", given)
	}
	if hasR {
		if !atLeast(version, 3, 3) {
			return "", fmt.Errorf("an image of Spark %s has no R here: those of 3.3 and later do", version)
		}
		version += withR
	}
	return version, nil
}

func sparkVersions(given []string) ([]string, error) {
	var all []string
	for _, one := range given {
		version, err := sparkVersion(one)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(all, version) {
			all = append(all, version)
		}
	}
	return all, nil
}

func minor(version string) (major, minor int) {
	numbers := strings.Split(version, ".")
	major, _ = strconv.Atoi(numbers[0])
	minor, _ = strconv.Atoi(numbers[1])
	return major, minor
}

func atLeast(version string, major, least int) bool {
	m, n := minor(version)
	return m > major || m == major && n >= least
}

// A Debian release, and what of it Spark runs on.
type release struct {
	suite string
	java  int
	debs  []string
}

var (
	bookworm  = release{"bookworm", 17, []string{"openjdk-17-jre-headless", "python3", "tini", "procps", "ca-certificates"}}
	bookwormR = release{"bookworm", 17, append(slices.Clone(bookworm.debs), "r-base-core")}
	// The last with a Java that Spark 3.0 to 3.2 can run on, and the last with Python 2.
	bullseye = release{"bullseye", 11, []string{"openjdk-11-jre-headless", "python3", "python2", "python-is-python2", "tini", "procps", "ca-certificates"}}
)

func releaseFor(version string) release {
	if strings.HasSuffix(version, withR) {
		return bookwormR
	}
	if atLeast(version, 3, 3) {
		return bookworm
	}
	return bullseye
}

func sparkImage(version string) image {
	return sparkImageNamed("docker.io/apache/spark:"+version, version)
}

// What the seed image is asked for by.
const seed = "seed"

// The image of a Spark version, or the seed image.
func imageOf(given string) (image, error) {
	if given == seed {
		return seedImage(), nil
	}
	version, err := sparkVersion(given)
	if err != nil {
		return image{}, err
	}
	return sparkImage(version), nil
}

// The image that the first example of the project has always named.
func seedImage() image {
	return sparkImageNamed("gcr.io/spark-operator/spark-py:v3.0.0", "3.0.0")
}

func sparkImageNamed(name, version string) image {
	system := systemLayer(releaseFor(version))
	version = strings.TrimSuffix(version, withR)
	return image{
		name:   name,
		layers: []layer{system, sparkLayer(version), contractLayer(version)},
		config: imageConfig{
			User:       "185",
			WorkingDir: "/opt/spark/work-dir",
			Entrypoint: []string{"/opt/entrypoint.sh"},
			Env: []string{
				"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
				"LANG=C.UTF-8", "SPARK_HOME=/opt/spark", "JAVA_HOME=/usr/lib/jvm/default",
			},
		},
	}
}

// A release that is no longer kept up moves from the first to the second.
var debianMirrors = []string{"http://deb.debian.org/debian", "http://archive.debian.org/debian"}

// In namespaces of its own: what debootstrap mounts and starts goes with it, however it ends.
func bootstrap(ctx context.Context, r release, root string) error {
	var failures error
	for _, mirror := range debianMirrors {
		err := run(ctx, "unshare", "--mount", "--pid", "--fork", "--kill-child",
			"debootstrap", "--variant=minbase", "--include="+strings.Join(r.debs, ","), r.suite, root, mirror)
		if err == nil || ctx.Err() != nil {
			return err
		}
		failures = errors.Join(failures, err)
		if err := os.RemoveAll(root); err != nil {
			return err
		}
	}
	return failures
}

func (r release) name() string {
	if slices.Contains(r.debs, "r-base-core") {
		return r.suite + withR
	}
	return r.suite
}

// Debian with Java, Python and the user that Spark runs as.
func systemLayer(r release) layer {
	return layer{name: r.name(), key: key("1", r), make: func(ctx context.Context, c *cluster, work string, out *tarball) error {
		root := filepath.Join(work, "root")
		if err := bootstrap(ctx, r, root); err != nil {
			return err
		}
		in := func(path string) string { return filepath.Join(root, path) }
		homes, err := filepath.Glob(in(fmt.Sprintf("usr/lib/jvm/java-%d-openjdk-*", r.java)))
		if err != nil || len(homes) != 1 {
			return fmt.Errorf("%d folders of Java in %s, not one", len(homes), r.suite)
		}
		err = errors.Join(
			os.Symlink(filepath.Base(homes[0]), in("usr/lib/jvm/default")),
			appendTo(in("etc/passwd"), "spark:x:185:0:Spark:/home/spark:/bin/bash\n"),
			// The entrypoint names a user that a pod makes up; such users are in group 0.
			os.Chmod(in("etc/passwd"), 0o664),
			os.Mkdir(in("home/spark"), 0o775), os.Chmod(in("home/spark"), 0o775), os.Chown(in("home/spark"), 185, 0),
			os.WriteFile(in("etc/hostname"), []byte("localhost\n"), 0o644),
			os.Remove(in("etc/resolv.conf")),
		)
		if err != nil && !os.IsNotExist(err) {
			return err
		}
		return out.tree(root, func(path string) bool {
			switch filepath.Dir(path) {
			case "dev", "proc", "sys", "run", "tmp", "var/log", "var/cache/apt", "var/cache/debconf", "var/lib/apt/lists",
				"usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale":
				return true
			}
			return path == "etc/machine-id" || path == "var/cache/ldconfig" || strings.HasSuffix(path, "/__pycache__")
		})
	}}
}

func appendTo(path, text string) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.WriteString(text)
	return err
}

// Spark itself: the source distribution of the Python package holds all of it, in other folders.
func sparkLayer(version string) layer {
	return layer{name: "spark-" + version, key: key("1", version), make: func(ctx context.Context, c *cluster, work string, out *tarball) error {
		// pip builds some metadata of it, which needs no more than pip's own means.
		err := run(ctx, "python3", "-m", "pip", "download", "--no-cache-dir", "--disable-pip-version-check", "--no-deps",
			"--no-binary", "pyspark", "--dest", work, "pyspark=="+version)
		if err != nil {
			return fmt.Errorf("fetching Spark %s from PyPI: %w", version, err)
		}
		packages, err := filepath.Glob(filepath.Join(work, "pyspark-*.tar.gz"))
		if err != nil || len(packages) != 1 {
			return fmt.Errorf("pip brought %d packages, not one", len(packages))
		}
		file, err := os.Open(packages[0])
		if err != nil {
			return err
		}
		defer file.Close()
		unzipped, err := gzip.NewReader(file)
		if err != nil {
			return err
		}
		jars := 0
		for in := tar.NewReader(unzipped); ; {
			header, err := in.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				return fmt.Errorf("reading %s: %w", filepath.Base(packages[0]), err)
			}
			_, inside, _ := strings.Cut(header.Name, "/")
			path, mode := placeInSpark(inside)
			if header.Typeflag != tar.TypeReg || path == "" {
				continue
			}
			if strings.HasSuffix(path, ".jar") {
				jars++
			}
			if err := out.file(path, mode, header.Size, in); err != nil {
				return err
			}
		}
		if jars < 100 {
			return fmt.Errorf("the package of Spark %s has only %d jars", version, jars)
		}
		return out.folder("opt/spark/work-dir", 0o775, 185)
	}}
}

// Where a file of the package goes in the image; nowhere if the path is empty.
func placeInSpark(path string) (string, int64) {
	for _, place := range []struct {
		from, to string
		mode     int64
	}{
		{"deps/bin/", "bin/", 0o755},
		{"deps/sbin/", "sbin/", 0o755},
		{"deps/jars/", "jars/", 0o644},
		{"deps/data/", "data/", 0o644},
		{"deps/examples/", "examples/src/main/python/", 0o644},
		{"lib/", "python/lib/", 0o644},
		{"pyspark/", "python/pyspark/", 0o644},
	} {
		if rest, ok := strings.CutPrefix(path, place.from); ok && !strings.HasSuffix(path, ".cmd") {
			return "opt/spark/" + place.to + rest, place.mode
		}
	}
	return "", 0
}

// What makes it an image for Kubernetes: the entrypoint, and an example for the JVM.
func contractLayer(version string) layer {
	spark := sparkLayer(version)
	entrypoint, decommission, pi := source("files/entrypoint.sh"), source("files/decom.sh"), source("files/SparkPi.java")
	return layer{name: "contract-" + version, key: key("2", spark.key, entrypoint, decommission, pi), make: func(ctx context.Context, c *cluster, work string, out *tarball) error {
		code := filepath.Join(work, "SparkPi.java")
		if err := os.WriteFile(code, pi, 0o644); err != nil {
			return err
		}
		jars := filepath.Join(work, "jars")
		if err := unpackJars(ctx, c, spark, jars); err != nil {
			return err
		}
		compiler, err := javac()
		if err != nil {
			return err
		}
		classes := filepath.Join(work, "classes")
		err = run(ctx, compiler, "-nowarn", "--release", strconv.Itoa(releaseFor(version).java), "-cp", jars+"/*", "-d", classes, code)
		if err != nil {
			return err
		}
		jar, err := archive(classes)
		if err != nil {
			return err
		}
		// Executors have had a main class of their own since 3.3.
		backend := "org.apache.spark.executor.CoarseGrainedExecutorBackend"
		if atLeast(version, 3, 3) {
			backend = "org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend"
		}
		return errors.Join(
			out.text("opt/decom.sh", 0o755, decommission),
			out.text("opt/entrypoint.sh", 0o755, entrypoint),
			out.text("opt/spark/RELEASE", 0o644, fmt.Appendf(nil, "Spark %s\n", version)),
			out.text("opt/spark/examples/jars/spark-examples.jar", 0o644, jar),
			out.text("opt/spark-executor-backend", 0o644, []byte(backend+"\n")),
		)
	}}
}

// What Java code for Spark is compiled against.
func unpackJars(ctx context.Context, c *cluster, spark layer, folder string) error {
	made, err := spark.ensure(ctx, c)
	if err != nil {
		return err
	}
	path, ok := spark.content(c, made)
	if !ok {
		return fmt.Errorf("layer %s is gone", spark.name)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	for in := tar.NewReader(file); ; {
		header, err := in.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		name := filepath.Base(header.Name)
		if !strings.HasSuffix(name, ".jar") || !strings.HasPrefix(name, "spark-") && !strings.HasPrefix(name, "scala-library") {
			continue
		}
		jar, err := os.Create(filepath.Join(folder, name))
		if err != nil {
			return err
		}
		_, err = io.Copy(jar, in)
		if err := errors.Join(err, jar.Close()); err != nil {
			return err
		}
	}
}

// A jar of a folder of classes; its bytes depend on them alone.
func archive(folder string) ([]byte, error) {
	var jar bytes.Buffer
	out := zip.NewWriter(&jar)
	// Without times, and in the order of the names.
	err := fs.WalkDir(os.DirFS(folder), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(filepath.Join(folder, path))
		if err != nil {
			return err
		}
		file, err := out.Create(path)
		if err != nil {
			return err
		}
		_, err = file.Write(content)
		return err
	})
	if err := errors.Join(err, out.Close()); err != nil {
		return nil, err
	}
	return jar.Bytes(), nil
}

// A shell and the small tools, in 2 MB.
func busyboxLayer() layer {
	return layer{name: "busybox", key: key("1"), make: func(ctx context.Context, c *cluster, work string, out *tarball) error {
		apt := tool{dir: work}
		// As root: apt's own user may not write here.
		download := []string{"-o", "APT::Sandbox::User=root", "download", "busybox-static"}
		if _, err := apt.run(ctx, "apt-get", download...); err != nil {
			if err := run(ctx, "apt-get", "-o", "DPkg::Lock::Timeout=300", "update"); err != nil {
				return err
			}
			if _, err := apt.run(ctx, "apt-get", download...); err != nil {
				return err
			}
		}
		packages, _ := filepath.Glob(filepath.Join(work, "*.deb"))
		if len(packages) != 1 {
			return fmt.Errorf("apt-get brought %d packages of busybox-static, not one", len(packages))
		}
		if err := run(ctx, "dpkg-deb", "--extract", packages[0], filepath.Join(work, "root")); err != nil {
			return err
		}
		program := filepath.Join(work, "root/bin/busybox")
		if _, err := os.Stat(program); err != nil {
			program = filepath.Join(work, "root/usr/bin/busybox")
		}
		content, err := os.ReadFile(program)
		if err != nil {
			return err
		}
		names, err := tool{}.run(ctx, program, "--list")
		if err != nil {
			return err
		}
		err = errors.Join(
			out.text("bin/busybox", 0o755, content),
			out.text("etc/passwd", 0o644, []byte("root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n")),
			out.text("etc/group", 0o644, []byte("root:x:0:\nnogroup:x:65534:\n")),
			out.folder("tmp", 0o1777, 0),
		)
		for _, name := range strings.Fields(names) {
			if name != "busybox" {
				err = errors.Join(err, out.link("bin/"+name, "busybox"))
			}
		}
		return err
	}}
}

func busyboxImage() image {
	return image{name: "sparkctl.test/busybox:1", layers: []layer{busyboxLayer()}, config: imageConfig{
		Env: []string{"PATH=/bin"}, Cmd: []string{"sh"},
	}}
}

// What holds a pod's namespaces.
func pauseImage() image {
	return image{name: "sparkctl.test/pause:1", layers: []layer{busyboxLayer()}, config: imageConfig{
		Env: []string{"PATH=/bin"}, Entrypoint: []string{"/bin/sleep", "infinity"},
	}}
}
