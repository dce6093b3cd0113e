package main

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// Something that a machine must have, and the Debian package that brings it.
type requirement struct {
	there func() bool
	debs  []string // the first that the machine's distribution has
	why   string
	// The least version that will do; none: any.
	version string
	// Where the distribution has no such package.
	otherwise func(ctx context.Context) error
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

func succeeds(name string, args ...string) func() bool {
	return func() bool { return exec.Command(name, args...).Run() == nil }
}

const (
	forNodes  = "for the nodes of the test cluster"
	forImages = "for making Spark images"
)

// What a cluster needs to run.
var toRun = []requirement{
	{there: installed("containerd", "ctr", "containerd-shim-runc-v2"), debs: []string{"containerd"}, why: forNodes},
	{there: installed("runc"), debs: []string{"runc"}, why: forNodes},
	{there: exists("/usr/lib/cni/bridge", "/opt/cni/bin/bridge"), debs: []string{"containernetworking-plugins"}, why: forNodes},
	{there: installed("iptables"), debs: []string{"iptables"}, why: forNodes},
	{there: installed("ip"), debs: []string{"iproute2"}, why: forNodes},
	{there: installed("mount", "umount"), debs: []string{"mount"}, why: forNodes},
	{there: installed("nsenter", "unshare"), debs: []string{"util-linux"}, why: forNodes},
}

var (
	pip = requirement{there: succeeds("python3", "-m", "pip", "--version"), debs: []string{"python3-pip"}, why: "for packages of PyPI"}
	jdk = requirement{
		there: func() bool { _, err := javac(); return err == nil },
		debs:  []string{"openjdk-17-jdk-headless", "openjdk-21-jdk-headless", "openjdk-25-jdk-headless"},
		why:   "for compiling the Java programs of tests",
	}
)

// What images are made with.
var toMakeImages = []requirement{
	{there: installed("debootstrap"), debs: []string{"debootstrap"}, why: forImages},
	{there: exists("/usr/share/keyrings/debian-archive-keyring.gpg"), debs: []string{"debian-archive-keyring"}, why: forImages},
	pip,
	jdk,
}

// What single tests need beyond the cluster: `packages NAME…` sees that it is there.
func (c *cluster) forTests() map[string]requirement {
	return map[string]requirement{
		"podman": {there: installed("podman", "runc"), debs: []string{"podman"}, why: "for runs in a container (--local-in)"},
		"npm":    {there: installed("npm", "node"), debs: []string{"npm"}, why: "for Azurite, a server of Azure's storage"},
		"venv":   {there: succeeds("python3", "-c", "import venv, ensurepip"), debs: []string{"python3-venv"}, why: "for installing the wheel"},
		"pip":    pip,
		"javac":  {there: installed("javac"), debs: jdk.debs, why: jdk.why},
		"aws": {
			there: func() bool { return c.awsCLI() != "" }, debs: []string{"awscli"}, version: "2.9",
			why: "for credentials of a profile (aws configure export-credentials)", otherwise: c.downloadAWSCLI,
		},
	}
}

// Installs what single tests need. Returns NAME=value lines for what is not in PATH.
func (c *cluster) installForTests(ctx context.Context, names []string) (lines []string, err error) {
	known := c.forTests()
	var wanted []requirement
	for _, name := range names {
		one, ok := known[name]
		if !ok {
			return nil, usageError(fmt.Sprintf("unknown package %q", name))
		}
		wanted = append(wanted, one)
	}
	if os.Geteuid() == 0 && slices.ContainsFunc(wanted, func(one requirement) bool { return !one.there() }) {
		unlock, err := c.lock(ctx)
		if err != nil {
			return nil, err
		}
		defer unlock()
	}
	if err := install(ctx, wanted); err != nil {
		return nil, err
	}
	if slices.Contains(names, "aws") {
		lines = append(lines, "AWS_CLI="+c.awsCLI())
	}
	return lines, nil
}

// Installs the Debian packages of what is missing, and says which, and what for.
func install(ctx context.Context, requirements []requirement) error {
	missing := slices.DeleteFunc(slices.Clone(requirements), func(one requirement) bool { return one.there() })
	if len(missing) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("this machine has no apt-get: install what Debian calls %s, and try again", names(missing))
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("this machine lacks %s: run `apt-get install %[1]s` as root, and try again", names(missing))
	}
	apt := tool{env: []string{"DEBIAN_FRONTEND=noninteractive"}}
	err := step("updating apt's package lists", func() error {
		_, err := apt.run(ctx, "apt-get", "-o", "DPkg::Lock::Timeout=300", "update")
		return err
	})
	if err != nil {
		say("going on with the lists of an earlier time: %v", err)
	}
	var packages []string
	for _, one := range missing {
		name := one.candidate(func(name string) string {
			policy, _ := apt.run(ctx, "apt-cache", "policy", name)
			return policy
		})
		if name == "" && one.otherwise != nil {
			if err := one.otherwise(ctx); err != nil {
				return err
			}
			continue
		}
		if name == "" {
			name = one.debs[0]
		}
		say("%s is missing: it is %s", name, one.why)
		packages = append(packages, name)
	}
	if len(packages) > 0 {
		err = step("installing "+strings.Join(packages, ", "), func() error {
			_, err := apt.run(ctx, "apt-get", append([]string{"-o", "DPkg::Lock::Timeout=300", "install", "-y", "--no-install-recommends"}, packages...)...)
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, one := range missing {
		if !one.there() {
			return fmt.Errorf("%s is installed, but what it should bring is not found (is its folder in PATH?)", strings.Join(one.debs, " or "))
		}
	}
	return nil
}

func names(requirements []requirement) string {
	var names []string
	for _, one := range requirements {
		names = append(names, one.debs[0])
	}
	return strings.Join(names, " ")
}

// The first of its packages that apt offers in a version that will do; nothing if it offers none.
func (r requirement) candidate(policyOf func(name string) string) string {
	for _, name := range r.debs {
		for line := range strings.Lines(policyOf(name)) {
			version, ok := strings.CutPrefix(strings.TrimSpace(line), "Candidate: ")
			if ok && version != "(none)" && (r.version == "" || compareVersions(version, r.version) >= 0) {
				return name
			}
		}
	}
	return ""
}

// Compares two versions by the numbers in them.
func compareVersions(a, b string) int {
	return slices.Compare(numbers(a), numbers(b))
}

func numbers(version string) []int {
	var all []int
	for _, part := range strings.FieldsFunc(version, func(r rune) bool { return r < '0' || r > '9' }) {
		number, _ := strconv.Atoi(part)
		all = append(all, number)
	}
	return all
}

// An AWS CLI that exports credentials: version 1 cannot, whatever its release. Empty if there is none.
func (c *cluster) awsCLI() string {
	candidates := []string{c.downloadedAWSCLI()}
	for _, folder := range filepath.SplitList(os.Getenv("PATH")) {
		candidates = append(candidates, filepath.Join(folder, "aws"))
	}
	for _, path := range candidates {
		answer, err := exec.Command(path, "--version").Output()
		if version, ok := strings.CutPrefix(string(answer), "aws-cli/"); err == nil && ok && compareVersions(strings.Fields(version)[0], "2.9") >= 0 {
			return path
		}
	}
	return ""
}

func (c *cluster) downloadedAWSCLI() string { return c.cached("aws-cli", "aws", "dist", "aws") }

// Amazon's own archive, for distributions without a package of version 2, as Ubuntu 24.04 is.
// Source: https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html
func (c *cluster) downloadAWSCLI(ctx context.Context) error {
	machine, ok := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	if !ok {
		return fmt.Errorf("there is no AWS CLI for %s: install its version 2", runtime.GOARCH)
	}
	url := "https://awscli.amazonaws.com/awscli-exe-linux-" + machine + ".zip"
	return step("downloading the AWS CLI from "+url, func() error {
		work, err := c.workFolder("aws-cli")
		if err != nil {
			return err
		}
		defer os.RemoveAll(work)
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return errors.New(response.Status)
		}
		archive, err := os.Create(filepath.Join(work, "aws.zip"))
		if err != nil {
			return err
		}
		_, err = io.Copy(archive, response.Body)
		if err := errors.Join(err, archive.Close()); err != nil {
			return err
		}
		unpacked := filepath.Join(work, "unpacked")
		if err := unzip(archive.Name(), unpacked); err != nil {
			return err
		}
		return errors.Join(os.RemoveAll(c.cached("aws-cli")), os.Rename(unpacked, c.cached("aws-cli")))
	})
}

// Unpacks an archive, whose files stay executable.
func unzip(archive, folder string) error {
	reader, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer reader.Close()
	for _, entry := range reader.File {
		if !filepath.IsLocal(entry.Name) {
			return fmt.Errorf("%s has an entry outside of its folder: %q", archive, entry.Name)
		}
		path := filepath.Join(folder, entry.Name)
		if entry.FileInfo().IsDir() {
			continue
		}
		in, err := entry.Open()
		if err != nil {
			return err
		}
		content, err := io.ReadAll(in)
		if err := errors.Join(err, in.Close(), os.MkdirAll(filepath.Dir(path), 0o755)); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, entry.Mode().Perm()); err != nil {
			return err
		}
	}
	return nil
}
