package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
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

// A program that is built from a module of its own, as its requirements and this module's exclude one another.
type ownTool struct {
	name, module, version string
	// Its main package; none: one is written that links these packages alone, as the module's own links the
	// clients of every cloud.
	main    string
	imports []string
	run     string
}

var (
	registryTool = ownTool{
		name: "registry", module: "github.com/distribution/distribution/v3", version: "v3.0.0",
		imports: []string{"registry", "registry/storage/driver/filesystem"}, run: "_ = registry.RootCmd.Execute()",
	}
	coreDNSTool = ownTool{
		name: "coredns", module: "github.com/coredns/coredns", version: "v1.14.3",
		imports: []string{"coremain", "plugin/bind", "plugin/errors", "plugin/kubernetes"}, run: "coremain.Run()",
	}
	// Only for simulated nodes, which few tests ask for.
	kwokTool = ownTool{name: "kwok", module: "sigs.k8s.io/kwok", version: "v0.7.0", main: "./cmd/kwok"}
)

var ownTools = []ownTool{registryTool, coreDNSTool, kwokTool}

// A main package that links what the tests need of a module: the first import is the one that runs.
func (t ownTool) source() string {
	text := "package main\n\nimport (\n"
	for i, one := range t.imports {
		name := "_ "
		if i == 0 {
			name = ""
		}
		text += fmt.Sprintf("\t%s%q\n", name, t.module+"/"+one)
	}
	return text + ")\n\nfunc main() { " + t.run + " }\n"
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

func (c *cluster) missing(name string) bool {
	_, err := os.Stat(c.program(name))
	return err != nil
}

// Settings of every build: what go.mod says, whatever a module brings in a folder `vendor`. Programs are put into the cache by a rename, so what is there is whole.
func buildEnvironment() []string {
	return []string{"CGO_ENABLED=0", "GOFLAGS=-buildvcs=false -mod=readonly", "GOWORK=off", "GOOS=linux", "GOARCH=" + runtime.GOARCH}
}

// Builds what every cluster runs and is not in the cache.
func (c *cluster) build(ctx context.Context) error {
	if err := c.buildModule(ctx); err != nil {
		return err
	}
	for _, one := range []ownTool{registryTool, coreDNSTool} {
		if err := c.buildOwn(ctx, one); err != nil {
			return err
		}
	}
	return nil
}

// Builds etcd, Kubernetes and Volcano, all at once: most packages are shared.
func (c *cluster) buildModule(ctx context.Context) error {
	var packages []string
	incomplete := c.missing("volcano.yaml")
	for _, one := range moduleTools {
		packages = append(packages, one.pkg)
		incomplete = incomplete || c.missing(one.name)
	}
	if !incomplete || ctx.Err() != nil {
		return ctx.Err()
	}
	work, err := c.workFolder("build")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	// In a module of its own, so that the checkout may move or change meanwhile.
	for _, file := range []string{"go.mod", "go.sum"} {
		if err := os.WriteFile(filepath.Join(work, file), source(file), 0o644); err != nil {
			return err
		}
	}
	names := "etcd, Kubernetes and Volcano"
	built, err := goBuild(ctx, names, work, linkerFlags(), packages)
	if err != nil {
		return err
	}
	volcano, err := tool{dir: work, env: buildEnvironment()}.run(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "volcano.sh/volcano")
	if err != nil {
		return err
	}
	manifest, err := os.ReadFile(filepath.Join(strings.TrimSpace(volcano), "installer", "volcano-development.yaml"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(built, "volcano.yaml"), manifest, 0o644); err != nil {
		return err
	}
	for _, one := range moduleTools {
		if err := c.keep(built, one.built, one.name); err != nil {
			return err
		}
	}
	return c.keep(built, "volcano.yaml", "volcano.yaml")
}

// Builds a program from a copy of its module, with the requirements of that module.
func (c *cluster) buildOwn(ctx context.Context, one ownTool) error {
	if !c.missing(one.name) || ctx.Err() != nil {
		return ctx.Err()
	}
	work, err := c.workFolder("build-" + one.name)
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	download, err := tool{dir: work, env: buildEnvironment()}.run(ctx, "go", "mod", "download", "-json", one.module+"@"+one.version)
	if err != nil {
		return fmt.Errorf("downloading %s: %w", one.module, err)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal([]byte(download), &module); err != nil {
		return fmt.Errorf("downloading %s: %w", one.module, err)
	}
	copied := filepath.Join(work, "module")
	if err := os.CopyFS(copied, os.DirFS(module.Dir)); err != nil {
		return err
	}
	main := one.main
	if main == "" {
		main = "./sparkctl-" + one.name
		folder := filepath.Join(copied, main)
		if err := write(filepath.Join(folder, "main.go"), one.source()); err != nil {
			return err
		}
	}
	built, err := goBuild(ctx, one.name, copied, "-s -w", []string{main})
	if err != nil {
		return err
	}
	return c.keep(built, filepath.Base(main), one.name)
}

// Builds programs, and shows how far that is. Returns the folder that they are in.
func goBuild(ctx context.Context, names, folder, flags string, mains []string) (string, error) {
	built := filepath.Join(folder, "bin")
	if err := os.Mkdir(built, 0o755); err != nil {
		return "", err
	}
	var lines atomic.Int64
	building := tool{dir: folder, env: buildEnvironment(), lines: &lines}
	detail := func() string {
		programs, _ := os.ReadDir(built)
		return fmt.Sprintf("%d of %d programs, %d packages downloaded or compiled", len(programs), len(mains), lines.Load())
	}
	err := stepWith("building "+names, detail, func() error {
		_, err := building.run(ctx, "go", append([]string{"build", "-v", "-trimpath", "-ldflags", flags, "-o", built + "/"}, mains...)...)
		return err
	})
	return built, err
}

// Moves a program that was built into the cache.
func (c *cluster) keep(folder, built, name string) error {
	if err := os.MkdirAll(c.program("."), 0o755); err != nil {
		return err
	}
	return os.Rename(filepath.Join(folder, built), c.program(name))
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
