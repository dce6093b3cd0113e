package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Both nodes are on one machine, so each keeps its pods in a control group of its own.
const (
	cgroupMount = "/sys/fs/cgroup"
	cgroupName  = "sparkctl-test-cluster"
)

func (n node) cgroup() string { return "/" + cgroupName + "/" + n.name }

// What a node's kubelet asks for of its control group: in version 2 the controllers of the group, in version 1 the
// hierarchies of the machine. Without one of them it does not start, and says so only in its log.
// Source: Kubernetes, pkg/kubelet/cm, cgroup_manager_linux.go and helpers_linux.go, and
// https://docs.kernel.org/admin-guide/cgroup-v2.html, "No Internal Process Constraint".
var (
	neededControllers = []string{"cpuset", "cpu", "memory", "pids"}
	neededHierarchies = []string{"cpuset", "cpu", "cpuacct", "memory", "pids"}
)

// What is found out about a machine's control groups.
type cgroupFacts struct {
	unified bool // version 2
	// In version 2 the controllers that a group of a node gets, in version 1 the hierarchies.
	has []string
	// Why no group can be made, if none can.
	failure error
}

// Why nodes cannot run with these control groups, in a sentence; nothing if they can.
func (f cgroupFacts) fault() error {
	needed, version := neededHierarchies, 1
	if f.unified {
		needed, version = neededControllers, 2
	}
	missing := slices.DeleteFunc(slices.Clone(needed), func(name string) bool { return slices.Contains(f.has, name) })
	switch {
	case f.failure != nil:
		return fmt.Errorf("the test cluster makes control groups (version %d) in %s, and may not: %w; run it on the machine itself, "+
			"or in a container that is privileged", version, cgroupMount, f.failure)
	case len(missing) == 0:
		return nil
	case f.unified:
		return fmt.Errorf("the test cluster needs the control group controllers %s in groups below %s (version 2), and %s "+
			"cannot be handed down: run it on the machine itself, or in a privileged container with the machine's own control "+
			"groups (--cgroupns=host), and with a kernel that has them all", strings.Join(needed, ", "), cgroupMount, strings.Join(missing, ", "))
	default:
		return fmt.Errorf("the test cluster needs the control group hierarchies %s mounted below %s (version 1), and %s "+
			"is missing", strings.Join(needed, ", "), cgroupMount, strings.Join(missing, ", "))
	}
}

// Looks whether nodes can run, before anything slow is done for them.
func checkCgroups() error {
	facts, err := lookAtCgroups(cgroupMount)
	return errors.Join(err, facts.fault())
}

// Finds out by making a group, and removing it again.
func lookAtCgroups(mount string) (cgroupFacts, error) {
	roots, err := cgroupRoots(mount)
	if err != nil {
		return cgroupFacts{}, err
	}
	facts := cgroupFacts{unified: roots[0] == mount}
	for _, root := range roots {
		facts.has = append(facts.has, filepath.Base(root))
	}
	handDown(roots[0])
	group := filepath.Join(roots[0], cgroupName+"-check")
	if err := os.Mkdir(group, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		facts.failure = err
		return facts, nil
	}
	defer syscall.Rmdir(group)
	if facts.unified {
		controllers, err := os.ReadFile(filepath.Join(group, "cgroup.controllers"))
		facts.has, facts.failure = strings.Fields(string(controllers)), err
	}
	return facts, nil
}

// Version 2 hands controllers down one level at a time; those that cannot be, though all nodes need them, are found
// by `checkCgroups`.
func handDown(group string) {
	for _, controller := range append(slices.Clone(neededControllers), "io", "hugetlb") {
		_ = os.WriteFile(filepath.Join(group, "cgroup.subtree_control"), []byte("+"+controller), 0)
	}
}

// The hierarchies: one in version 2, one for each controller in version 1.
func cgroupRoots(mount string) ([]string, error) {
	if _, err := os.Stat(filepath.Join(mount, "cgroup.controllers")); err == nil {
		return []string{mount}, nil
	}
	entries, err := os.ReadDir(mount)
	if err != nil {
		return nil, fmt.Errorf("reading the control groups: %w (is %s mounted?)", err, mount)
	}
	var roots []string
	for _, entry := range entries {
		root := filepath.Join(mount, entry.Name())
		// Links are second names (cpu,cpuacct). `unified`, a version 2 that hybrid machines mount beside
		// version 1, is one more: runc makes its groups there too.
		_, procs := os.Stat(filepath.Join(root, "cgroup.procs"))
		if entry.IsDir() && procs == nil {
			roots = append(roots, root)
		}
	}
	if len(roots) == 0 {
		return nil, fmt.Errorf("there are no control groups in %s: is it mounted?", mount)
	}
	return roots, nil
}

func makeCgroups() error {
	roots, err := cgroupRoots(cgroupMount)
	if err != nil {
		return err
	}
	for _, root := range roots {
		for _, n := range nodes {
			above := root
			for _, name := range []string{cgroupName, n.name} {
				group := filepath.Join(above, name)
				handDown(above)
				if err := os.Mkdir(group, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
					return fmt.Errorf("making a control group: %w", err)
				}
				// Version 1 starts a new group with no processor at all.
				for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
					value, err := os.ReadFile(filepath.Join(above, file))
					if err != nil || len(bytes.TrimSpace(value)) == 0 {
						continue
					}
					if err := os.WriteFile(filepath.Join(group, file), value, 0); err != nil {
						return fmt.Errorf("filling in a control group: %w", err)
					}
				}
				above = group
			}
		}
	}
	return nil
}

// Kills what is left in the nodes' control groups (pods' processes have no mark) and removes the groups.
func removeCgroups() error {
	roots, err := cgroupRoots(cgroupMount)
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		var left []string
		for _, root := range roots {
			var groups []string
			_ = filepath.WalkDir(filepath.Join(root, cgroupName), func(path string, entry fs.DirEntry, err error) error {
				if err == nil && entry.IsDir() {
					groups = append(groups, path)
				}
				return nil
			})
			// Deepest first.
			for i := len(groups) - 1; i >= 0; i-- {
				procs, _ := os.ReadFile(filepath.Join(groups[i], "cgroup.procs"))
				for _, line := range strings.Fields(string(procs)) {
					if pid, err := strconv.Atoi(line); err == nil && pid > 1 {
						_ = syscall.Kill(pid, syscall.SIGKILL)
					}
				}
				// A frozen process cannot die.
				_ = os.WriteFile(filepath.Join(groups[i], "freezer.state"), []byte("THAWED"), 0)
				_ = os.WriteFile(filepath.Join(groups[i], "cgroup.freeze"), []byte("0"), 0)
				if err := syscall.Rmdir(groups[i]); err != nil && !errors.Is(err, fs.ErrNotExist) {
					left = append(left, groups[i])
				}
			}
		}
		if len(left) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d control groups are still busy, %s for one", len(left), left[0])
		}
	}
}
