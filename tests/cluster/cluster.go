package main

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Everything lives in 198.18.0.0/15, the range set aside for benchmarks: no private network of the
// machine's can collide with it, and nothing on the Internet answers there.
const (
	hostAddress    = "198.18.0.1" // this machine's end of the cable to node-1
	serviceRange   = "198.19.0.0/16"
	kubernetesIP   = "198.19.0.1" // the first address of serviceRange, which the API server gives to itself
	podRange       = "198.18.128.0/17"
	simulatedRange = "198.18.64.0/18"
	clusterDNS     = node1Address
	clusterDomain  = "cluster.local"

	// node-1 also hosts the control plane.
	node1Address    = "198.18.0.2"
	apiServerURL    = "https://" + node1Address + ":6443"
	registryAddress = node1Address + ":5000"
)

// What each node can give: two applications of a driver and two executors with a core each.
const coresOfNode = 4

type node struct {
	name    string
	kind    string // the value of its label `type`
	address string
	pods    string // its pods' addresses: disjoint, or a pod looks for the other node's pods on its own bridge
}

var nodes = []node{
	{name: "node-1", kind: "driver", address: node1Address, pods: "198.18.128.0/18"},
	{name: "node-2", kind: "compute", address: "198.18.0.6", pods: "198.18.192.0/18"},
}

// The network namespace of a node.
func (n node) namespace() string { return "sparkctl-" + n.name }

type cluster struct {
	state string // made anew at every start
	cache string // what is slow to make, by content
}

func newCluster() (*cluster, error) {
	cache := os.Getenv("SPARKCTL_TEST_CLUSTER_CACHE")
	if cache == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("finding the cache folder: %w (set SPARKCTL_TEST_CLUSTER_CACHE)", err)
		}
		cache = filepath.Join(base, "sparkctl-test-cluster")
	}
	state := os.Getenv("SPARKCTL_TEST_CLUSTER_STATE")
	if state == "" {
		state = "/var/lib/sparkctl-test-cluster"
	}
	for _, folder := range []string{state, cache} {
		// These folders are removed recursively, and process marks contain the path.
		if !filepath.IsAbs(folder) || strings.Count(filepath.Clean(folder), "/") < 2 || strings.ContainsAny(folder, " :\n") {
			return nil, fmt.Errorf("%q will not do as a folder of the test cluster: it must be absolute, not at the top, without blanks or colons", folder)
		}
	}
	return &cluster{state: filepath.Clean(state), cache: filepath.Clean(cache)}, nil
}

func (c *cluster) path(names ...string) string {
	return filepath.Join(append([]string{c.state}, names...)...)
}

func (c *cluster) cached(names ...string) string {
	return filepath.Join(append([]string{c.cache}, names...)...)
}

func (c *cluster) kubeconfig(user string) string { return c.path("pki", user+".kubeconfig") }

func (c *cluster) nodePath(n node, names ...string) string {
	return c.path(append([]string{n.name}, names...)...)
}

//go:embed *.go go.mod go.sum files
var sources embed.FS

// A file of this program's.
func source(name string) []byte {
	content, err := sources.ReadFile(name)
	if err != nil {
		panic(err) // it was there when this was compiled
	}
	return content
}

// Names this program's content: a cluster that another content made is not reused.
func fingerprint() string {
	sum := sha256.New()
	err := fs.WalkDir(sources, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		content, err := sources.ReadFile(path)
		fmt.Fprintf(sum, "%s %d\n%s", path, len(content), content)
		return err
	})
	if err != nil {
		panic(err)
	}
	return hex.EncodeToString(sum.Sum(nil))[:16]
}

// The file `complete` is written last on the way up and removed first on the way down. It is worth
// something only to the same program, before the next boot of the machine.
func (c *cluster) stamp() string {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return fingerprint() + " " + strings.TrimSpace(string(boot)) + "\n"
}

func (c *cluster) isOurs() bool {
	complete, err := os.ReadFile(c.path("complete"))
	return err == nil && string(complete) == c.stamp()
}

var errNotUp = errors.New("the test cluster is not up")

// One for the machine, as its addresses and control groups are.
const lockFile = "/run/lock/sparkctl-test-cluster.lock"

// One command at a time: a test run that finds another starting the cluster waits for it. The kernel
// lets go of the lock however the holder ends.
func (c *cluster) lock(ctx context.Context) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(lockFile), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(lockFile, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock: %w", err)
	}
	for waiting := false; ; waiting = true {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("locking %s: %w", file.Name(), err)
		}
		if !waiting {
			holder, _ := os.ReadFile(file.Name())
			say("waiting for %s", strings.TrimSpace(string(holder)))
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
	_ = file.Truncate(0)
	_, _ = file.WriteAt(fmt.Appendf(nil, "process %d (%s)\n", os.Getpid(), strings.Join(os.Args[1:], " ")), 0)
	return func() { file.Close() }, nil
}
