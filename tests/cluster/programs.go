package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
)

// The version that go.mod asks for.
var kubernetesVersion = string(regexp.MustCompile(`k8s\.io/kubernetes (v\S+)`).FindSubmatch(source("go.mod"))[1])

// Built from this module, whose go.mod says which versions. The names are those of the packages' last
// elements, as `go build` gives them.
var moduleTools = []struct{ name, pkg, built string }{
	{"etcd", "go.etcd.io/etcd/server/v3", "server"},
	{"kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver", "kube-apiserver"},
	{"kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager", "kube-controller-manager"},
	{"kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler", "kube-scheduler"},
	{"kubelet", "k8s.io/kubernetes/cmd/kubelet", "kubelet"},
	{"kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy", "kube-proxy"},
	{"volcano-scheduler", "volcano.sh/volcano/cmd/scheduler", "scheduler"},
	{"volcano-controllers", "volcano.sh/volcano/cmd/controller-manager", "controller-manager"},
	{"volcano-webhook", "volcano.sh/volcano/cmd/webhook-manager", "webhook-manager"},
}

// Built each from its own module, as their requirements and this module's exclude one another.
var ownTools = []struct{ name, pkg string }{
	{"registry", "github.com/distribution/distribution/v3/cmd/registry@v3.0.0"},
	{"coredns", "github.com/coredns/coredns@v1.14.3"},
	{"kwok", "sigs.k8s.io/kwok/cmd/kwok@v0.7.0"},
}

// The linker's flags: small files, and a server that knows its version.
func linkerFlags() string {
	minor := strings.Split(kubernetesVersion, ".")[1]
	return "-s -w" +
		" -X k8s.io/component-base/version.gitVersion=" + kubernetesVersion +
		" -X k8s.io/component-base/version.gitMajor=1" +
		" -X k8s.io/component-base/version.gitMinor=" + minor +
		" -X k8s.io/client-go/pkg/version.gitVersion=" + kubernetesVersion
}

// Where the built programs are, by what they are built from.
func (c *cluster) program(name string) string {
	sum := sha256.New()
	sum.Write(source("go.mod"))
	sum.Write(source("go.sum"))
	fmt.Fprint(sum, moduleTools, ownTools, linkerFlags(), runtime.GOARCH)
	return c.cached("programs", hex.EncodeToString(sum.Sum(nil))[:16], name)
}

// A program of the machine's. Where it is missing, its bare name fails to start by that name.
func (c *cluster) system(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	return name
}

// Builds what is not in the cache. Each file is put there by a rename, so what is there is whole.
func (c *cluster) build(ctx context.Context) error {
	missing := func(name string) bool {
		_, err := os.Stat(c.program(name))
		return err != nil
	}
	work, err := c.workFolder("build")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	install := func(built, name string) error {
		return os.Rename(filepath.Join(work, "bin", built), c.program(name))
	}
	if err := errors.Join(os.MkdirAll(c.program("."), 0o755), os.MkdirAll(filepath.Join(work, "bin"), 0o755)); err != nil {
		return err
	}
	environment := []string{"CGO_ENABLED=0", "GOFLAGS=-buildvcs=false", "GOWORK=off", "GOBIN=" + filepath.Join(work, "bin"), "GOOS=linux", "GOARCH=" + runtime.GOARCH}

	var packages []string
	any := missing("volcano.yaml")
	for _, one := range moduleTools {
		packages = append(packages, one.pkg)
		any = any || missing(one.name)
	}
	if any {
		// In a module of its own, so that the checkout may move or change meanwhile.
		for _, file := range []string{"go.mod", "go.sum"} {
			if err := os.WriteFile(filepath.Join(work, file), source(file), 0o644); err != nil {
				return err
			}
		}
		var lines atomic.Int64
		building := tool{dir: work, env: environment, lines: &lines}
		detail := func() string { return fmt.Sprintf(", %d packages downloaded or compiled", lines.Load()) }
		err := stepWith("building etcd, Kubernetes and Volcano", detail, func() error {
			_, err := building.run(ctx, "go", append([]string{"build", "-v", "-trimpath", "-ldflags", linkerFlags(),
				"-o", filepath.Join(work, "bin") + "/"}, packages...)...)
			if err != nil {
				return err
			}
			volcano, err := building.run(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "volcano.sh/volcano")
			if err != nil {
				return err
			}
			manifest, err := os.ReadFile(filepath.Join(strings.TrimSpace(volcano), "installer", "volcano-development.yaml"))
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(work, "bin", "volcano.yaml"), manifest, 0o644)
		})
		if err != nil {
			return err
		}
		for _, one := range moduleTools {
			if err := install(one.built, one.name); err != nil {
				return err
			}
		}
		if err := install("volcano.yaml", "volcano.yaml"); err != nil {
			return err
		}
	}
	for _, one := range ownTools {
		if !missing(one.name) {
			continue
		}
		var lines atomic.Int64
		building := tool{dir: work, env: environment, lines: &lines}
		detail := func() string { return fmt.Sprintf(", %d packages downloaded or compiled", lines.Load()) }
		err := stepWith("building "+one.name, detail, func() error {
			if err := os.RemoveAll(filepath.Join(work, "go.mod")); err != nil {
				return err
			}
			_, err := building.run(ctx, "go", "install", "-v", "-trimpath", "-ldflags", "-s -w", one.pkg)
			if err != nil {
				return err
			}
			return install(one.name, one.name)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// A folder for work under way, in the cache so that renames out of it are atomic. What a run that was
// cut off has left there goes.
func (c *cluster) workFolder(name string) (string, error) {
	folder := c.cached("work", name)
	if err := os.RemoveAll(folder); err != nil {
		return "", fmt.Errorf("removing what an earlier run left: %w", err)
	}
	return folder, os.MkdirAll(folder, 0o755)
}

type requirement struct {
	there func() bool
	debs  []string // the first that the machine's distribution has
}

func installed(names ...string) func() bool {
	return func() bool {
		for _, name := range names {
			if _, err := exec.LookPath(name); err != nil {
				return false
			}
		}
		return true
	}
}

func exists(paths ...string) func() bool {
	return func() bool {
		for _, path := range paths {
			if _, err := os.Stat(path); err == nil {
				return true
			}
		}
		return false
	}
}

// What a cluster needs to run.
var toRun = []requirement{
	{installed("containerd", "ctr", "containerd-shim-runc-v2"), []string{"containerd"}},
	{installed("runc"), []string{"runc"}},
	{exists("/usr/lib/cni/bridge", "/opt/cni/bin/bridge"), []string{"containernetworking-plugins"}},
	{installed("iptables"), []string{"iptables"}},
	{installed("ip"), []string{"iproute2"}},
	{installed("mount", "umount"), []string{"mount"}},
	{installed("nsenter", "unshare"), []string{"util-linux"}},
}

// What images are made with.
var toMakeImages = []requirement{
	{installed("debootstrap"), []string{"debootstrap"}},
	{exists("/usr/share/keyrings/debian-archive-keyring.gpg"), []string{"debian-archive-keyring"}},
	{func() bool { return exec.Command("python3", "-m", "pip", "--version").Run() == nil }, []string{"python3-pip"}},
	{func() bool { _, err := javac(); return err == nil }, []string{"openjdk-17-jdk-headless", "openjdk-21-jdk-headless", "openjdk-25-jdk-headless"}},
}

// Installs the Debian packages of what is missing, and says which.
func install(ctx context.Context, requirements []requirement) error {
	var missing []requirement
	for _, one := range requirements {
		if !one.there() {
			missing = append(missing, one)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	apt := tool{env: []string{"DEBIAN_FRONTEND=noninteractive"}}
	if _, err := exec.LookPath("apt-get"); err != nil {
		var names []string
		for _, one := range missing {
			names = append(names, one.debs[0])
		}
		return fmt.Errorf("this machine has no apt-get: install what Debian calls %s, and try again", strings.Join(names, ", "))
	}
	var names []string
	err := step("updating apt's package lists", func() error {
		_, err := apt.run(ctx, "apt-get", "-o", "DPkg::Lock::Timeout=300", "update")
		return err
	})
	if err != nil {
		say("going on with the lists of an earlier time: %v", err)
	}
	for _, one := range missing {
		name := one.debs[0]
		for _, candidate := range one.debs {
			if policy, err := apt.run(ctx, "apt-cache", "policy", candidate); err == nil && strings.Contains(policy, "Candidate:") && !strings.Contains(policy, "Candidate: (none)") {
				name = candidate
				break
			}
		}
		names = append(names, name)
	}
	err = step("installing "+strings.Join(names, ", "), func() error {
		_, err := apt.run(ctx, "apt-get", append([]string{"-o", "DPkg::Lock::Timeout=300", "install", "-y", "--no-install-recommends"}, names...)...)
		return err
	})
	if err != nil {
		return err
	}
	for _, one := range missing {
		if !one.there() {
			return fmt.Errorf("%s is installed, but what it should bring is not found (is its folder in PATH?)", strings.Join(one.debs, " or "))
		}
	}
	return nil
}

var javacVersion = regexp.MustCompile(`javac (?:1\.)?(\d+)`)

// A Java compiler that reads class files of Java 17, which Spark 4 is made of.
func javac() (string, error) {
	candidates, _ := filepath.Glob("/usr/lib/jvm/*/bin/javac")
	if home := os.Getenv("JAVA_HOME"); home != "" {
		candidates = append([]string{filepath.Join(home, "bin", "javac")}, candidates...)
	}
	for _, candidate := range append([]string{"javac"}, candidates...) {
		answer, err := exec.Command(candidate, "-version").CombinedOutput()
		if err != nil {
			continue
		}
		if found := javacVersion.FindSubmatch(answer); found != nil {
			if version, _ := strconv.Atoi(string(found[1])); version >= 17 {
				return candidate, nil
			}
		}
	}
	return "", errors.New("there is no javac of Java 17 or later: install openjdk-17-jdk-headless")
}
