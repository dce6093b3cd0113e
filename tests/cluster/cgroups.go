package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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

// The hierarchies: one in version 2, one for each controller in version 1.
func cgroupRoots() ([]string, error) {
	if _, err := os.Stat(filepath.Join(cgroupMount, "cgroup.controllers")); err == nil {
		return []string{cgroupMount}, nil
	}
	entries, err := os.ReadDir(cgroupMount)
	if err != nil {
		return nil, fmt.Errorf("reading the control groups: %w (is %s mounted?)", err, cgroupMount)
	}
	var roots []string
	for _, entry := range entries {
		root := filepath.Join(cgroupMount, entry.Name())
		// Links are second names (cpu,cpuacct). `unified`, a version 2 that hybrid machines mount beside
		// version 1, is one more: runc makes its groups there too.
		_, procs := os.Stat(filepath.Join(root, "cgroup.procs"))
		if entry.IsDir() && procs == nil {
			roots = append(roots, root)
		}
	}
	if len(roots) == 0 {
		return nil, fmt.Errorf("there are no control groups in %s: is it mounted?", cgroupMount)
	}
	return roots, nil
}

func makeCgroups() error {
	roots, err := cgroupRoots()
	if err != nil {
		return err
	}
	for _, root := range roots {
		for _, n := range nodes {
			above := root
			for _, name := range []string{cgroupName, n.name} {
				group := filepath.Join(above, name)
				// Version 2 hands controllers down one level at a time; those that cannot be are not needed.
				for _, controller := range []string{"cpuset", "cpu", "io", "memory", "hugetlb", "pids"} {
					_ = os.WriteFile(filepath.Join(above, "cgroup.subtree_control"), []byte("+"+controller), 0)
				}
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
	roots, err := cgroupRoots()
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
