package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Every process of the cluster carries this variable, `STATE:PART`. A process is found by it and by
// its program, so there are no files of process ids to go stale: whatever was cut off and whenever,
// what the kernel says is the truth.
const mark = "SPARKCTL_TEST_CLUSTER_PART"

type process struct {
	pid     int
	cluster string // its state folder
	part    string
	program string // as it was started, argv[0]
	state   byte   // as in /proc/PID/stat: T is stopped
}

// All processes of this cluster, those that its parts have started (shims, helpers) among them.
func (c *cluster) processes() []process {
	all := marked()
	return slices.DeleteFunc(all, func(p process) bool { return p.cluster != c.state })
}

// The state folder of another cluster that runs on this machine, if one does.
func otherState(ours string) string {
	for _, one := range marked() {
		if one.cluster != ours {
			return one.cluster
		}
	}
	return ""
}

func marked() []process {
	var found []process
	prefix := []byte(mark + "=")
	for _, pid := range pids() {
		proc := filepath.Join("/proc", strconv.Itoa(pid))
		environ, err := os.ReadFile(filepath.Join(proc, "environ"))
		if err != nil {
			continue
		}
		for _, variable := range bytes.Split(environ, []byte{0}) {
			if value, ok := bytes.CutPrefix(variable, prefix); ok {
				state, part, _ := strings.Cut(string(value), ":")
				cmdline, _ := os.ReadFile(filepath.Join(proc, "cmdline"))
				program, _, _ := bytes.Cut(cmdline, []byte{0})
				if len(program) > 0 { // a zombie has none
					found = append(found, process{pid, state, part, string(program), processState(pid)})
				}
				break
			}
		}
	}
	return found
}

func pids() []int {
	entries, _ := os.ReadDir("/proc")
	var all []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			all = append(all, pid)
		}
	}
	return all
}

func processState(pid int) byte {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	// "PID (name) S …": the name may hold blanks and parentheses.
	if end := bytes.LastIndexByte(stat, ')'); end >= 0 && end+2 < len(stat) {
		return stat[end+2]
	}
	return 0
}

// The process of a part, if it runs.
func (c *cluster) find(p part) (process, bool) {
	for _, one := range c.processes() {
		if one.part == p.name && one.program == p.program {
			return one, true
		}
	}
	return process{}, false
}

func (c *cluster) logFile(p part) string { return c.path("log", p.name+".log") }

// Starts a part in its node's network namespace. nsenter becomes the program, so the id stays; not
// `ip netns exec`, which mounts another /sys and hides the control groups.
func (c *cluster) start(p part) (pid int, err error) {
	log, err := os.OpenFile(c.logFile(p), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	cmd := exec.Command("nsenter", append([]string{"--net=/run/netns/" + p.node.namespace(), "--", p.program}, p.args...)...)
	cmd.Dir = "/"
	cmd.Env = append([]string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8",
		mark + "=" + c.state + ":" + p.name,
	}, p.env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("starting %s: %w", p.name, err)
	}
	go cmd.Wait() // or it stays a zombie for as long as this program runs
	return cmd.Process.Pid, nil
}

// Starts a part unless it runs, lets it go on if it is paused, and waits until it is ready.
func (c *cluster) ensure(ctx context.Context, p part) error {
	running, ok := c.find(p)
	pid := running.pid
	if !ok {
		var err error
		if pid, err = c.start(p); err != nil {
			return err
		}
	} else if running.state == 'T' {
		say("%s was paused: resuming it", p.name)
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			return err
		}
	}
	err := until(ctx, p.name, 2*time.Minute, func() error {
		if state := processState(pid); state == 0 || state == 'Z' {
			return fatal{errors.New("it has ended")}
		}
		if p.ready != nil {
			return p.ready(ctx)
		}
		// On a busy machine it can be nsenter for a while.
		if _, ok := c.find(p); !ok {
			return errors.New("it has not started")
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		log, _ := os.ReadFile(c.logFile(p))
		return fmt.Errorf("%w\nThe end of %s:\n%s", err, c.logFile(p), lastLines(log, 15))
	}
	return err
}

// Stops processes: first asks, then insists.
func stop(patience time.Duration, all []process) {
	for _, one := range all {
		_ = syscall.Kill(one.pid, syscall.SIGTERM)
		_ = syscall.Kill(one.pid, syscall.SIGCONT) // a paused one cannot hear
	}
	if !gone(patience, all) {
		for _, one := range all {
			_ = syscall.Kill(one.pid, syscall.SIGKILL)
		}
		gone(5*time.Second, all)
	}
}

func gone(patience time.Duration, all []process) bool {
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		alive := false
		for _, one := range all {
			state := processState(one.pid)
			alive = alive || state != 0 && state != 'Z'
		}
		if !alive || time.Now().After(deadline) {
			return !alive
		}
	}
}

func (c *cluster) stopPart(p part) {
	if running, ok := c.find(p); ok {
		// The API server would wait for its watches to end.
		stop(2*time.Second, []process{running})
	}
}

func (c *cluster) part(name string) (part, error) {
	var names []string
	for _, p := range append(c.parts(), c.kwok()) {
		if p.name == name {
			return p, nil
		}
		names = append(names, p.name)
	}
	return part{}, usageError(fmt.Sprintf("there is no part %q: the parts are %s", name, strings.Join(names, ", ")))
}

func (c *cluster) signal(name string, signal syscall.Signal) error {
	p, err := c.part(name)
	if err != nil {
		return err
	}
	running, ok := c.find(p)
	if !ok {
		return fmt.Errorf("%s does not run", name)
	}
	return syscall.Kill(running.pid, signal)
}

func (c *cluster) restart(ctx context.Context, name string) error {
	p, err := c.part(name)
	if err != nil {
		return err
	}
	if !c.isOurs() {
		return errNotUp
	}
	c.stopPart(p)
	return c.ensure(ctx, p)
}
