package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const waitForNode = 2 * time.Minute

// Starts the cluster, or what of it does not run, and sees that the images are there.
func (c *cluster) up(ctx context.Context, versions []string, withImages bool) error {
	wanted := []image{busyboxImage(), pauseImage()}
	if withImages {
		wanted = append(wanted, sparkImage(currentSpark))
	}
	for _, version := range versions {
		if version != currentSpark || !withImages {
			wanted = append(wanted, sparkImage(version))
		}
	}

	fresh := !c.isOurs() || !networkExists()
	if fresh {
		if err := checkCgroups(); err != nil {
			return err
		}
		if err := c.down(); err != nil {
			return err
		}
	}
	if err := install(ctx, toRun); err != nil {
		return err
	}
	if err := c.installForImages(ctx, wanted); err != nil {
		return err
	}
	// The compiler and the downloads get in each other's way but little.
	err := together(ctx, c.build, func(ctx context.Context) error { return c.makeLayers(ctx, wanted) })
	if err != nil {
		return err
	}
	if fresh {
		if err := c.prepare(ctx); err != nil {
			return err
		}
	}
	if err := c.startAll(ctx, wanted, fresh); err != nil {
		return err
	}
	if fresh {
		if err := os.WriteFile(c.path("complete"), []byte(c.stamp()), 0o644); err != nil {
			return err
		}
		say("the cluster is up")
	}
	return nil
}

// All that a cluster needs before its first process.
func (c *cluster) prepare(ctx context.Context) error {
	if err := os.MkdirAll(c.path("log"), 0o755); err != nil {
		return err
	}
	if err := errors.Join(c.makePKI(), c.writeControlPlane(), c.writeVolcano()); err != nil {
		return err
	}
	for _, n := range nodes {
		if err := c.writeNode(n); err != nil {
			return err
		}
	}
	if err := makeCgroups(); err != nil {
		return err
	}
	return c.makeNetwork(ctx)
}

func (c *cluster) startAll(ctx context.Context, images []image, fresh bool) error {
	start := func(parts ...part) func(context.Context) error {
		return func(ctx context.Context) error {
			for _, p := range parts {
				if err := c.ensure(ctx, p); err != nil {
					return err
				}
			}
			return nil
		}
	}
	// The nodes' programs find the API server by themselves, but a node that waits for it to come backs off.
	err := together(ctx,
		start(c.etcd(), c.apiServer(), c.controllerManager(), c.scheduler()),
		func(ctx context.Context) error {
			if err := c.ensure(ctx, c.registry()); err != nil {
				return err
			}
			return c.pushAll(ctx, images)
		},
		start(c.containerd(nodes[0])), start(c.containerd(nodes[1])),
	)
	if err != nil {
		return err
	}
	if fresh {
		say("the API server answers")
	}
	api, err := c.api()
	if err != nil {
		return err
	}
	if fresh {
		if err := applyNodeSizes(ctx, api); err != nil {
			return fmt.Errorf("setting the sizes of the nodes: %w", err)
		}
	}
	var all []func(context.Context) error
	for _, n := range nodes {
		all = append(all, start(c.kubeProxy(n), c.kubelet(n)))
	}
	all = append(all, start(c.coreDNS()), func(ctx context.Context) error {
		// Without it no pod can be made, and it comes a moment after its namespace.
		return until(ctx, "the service account of namespace default", time.Minute, func() error {
			return api.get(ctx, "/api/v1/namespaces/default/serviceaccounts/default", nil)
		})
	}, func(ctx context.Context) error {
		if fresh {
			if err := c.applyVolcano(ctx, api); err != nil {
				return fmt.Errorf("creating Volcano's objects: %w", err)
			}
		}
		if err := start(c.volcanoWebhook(), c.volcanoControllers(), c.volcanoScheduler())(ctx); err != nil {
			return err
		}
		return c.volcanoReady(ctx, api)
	})
	for _, one := range images {
		all = append(all, func(ctx context.Context) error { return c.pullMissing(ctx, one) })
	}
	return together(ctx, all...)
}

func (c *cluster) pushAll(ctx context.Context, images []image) error {
	for _, one := range images {
		if err := c.push(ctx, one); err != nil {
			return fmt.Errorf("pushing %s: %w", one.name, err)
		}
	}
	return nil
}

// What was pulled is noted in the state, so that a cluster that is up is found so at once.
func (c *cluster) pullMissing(ctx context.Context, one image) error {
	var keys []string
	for _, l := range one.layers {
		keys = append(keys, l.key)
	}
	note := c.path("pulled", strings.NewReplacer("/", "_", ":", "_").Replace(one.name))
	if done, err := os.ReadFile(note); err == nil && string(done) == strings.Join(keys, " ") {
		return nil
	}
	if err := step("pulling "+one.name+" into the nodes", func() error { return c.pull(ctx, one) }); err != nil {
		return err
	}
	return write(note, strings.Join(keys, " "))
}

// Takes everything down, in whatever state it is. What is not there is no error.
func (c *cluster) down() error {
	if other := otherState(c.state); other != "" {
		return fmt.Errorf("a test cluster with its state in %s runs on this machine, which has addresses for one: stop it first (SPARKCTL_TEST_CLUSTER_STATE=%[1]s)", other)
	}
	_, statErr := os.Stat(c.state)
	running := c.processes()
	if errors.Is(statErr, os.ErrNotExist) && len(running) == 0 && !networkExists() {
		return nil
	}
	switch complete, err := os.ReadFile(c.path("complete")); {
	case err != nil:
		say("clearing away a cluster that was cut off half-way")
	case string(complete) != c.stamp():
		say("stopping the cluster of another version of this program, or of an earlier boot")
	default:
		say("stopping the cluster")
	}
	_ = os.Remove(c.path("complete"))

	// Nothing of it is to be kept, so nothing is asked to finish: first those that would start something
	// again, then the pods, then whatever is left, such as the containers' shims.
	traces := c.traces()
	kill(c.processes(), func(p process) bool { return !strings.HasPrefix(filepath.Base(p.program), "containerd-shim") })
	if err := removeCgroups(); err != nil {
		return fmt.Errorf("stopping the pods: %w", err)
	}
	for range 5 {
		kill(c.processes(), func(process) bool { return true })
	}
	if left := c.processes(); len(left) > 0 {
		return fmt.Errorf("process %d (%s) cannot be stopped", left[0].pid, left[0].program)
	}
	if err := c.unmount(); err != nil {
		return err
	}
	c.removeNetwork()
	removeTraces(traces)
	if err := os.RemoveAll(c.state); err != nil {
		return fmt.Errorf("removing the state: %w", err)
	}
	return nil
}

func kill(all []process, which func(process) bool) {
	all = slices.DeleteFunc(all, func(p process) bool { return !which(p) })
	for _, one := range all {
		_ = syscall.Kill(one.pid, syscall.SIGKILL)
	}
	gone(3*time.Second, all)
}

// What the programs leave in places that they do not let be chosen, under names that only the state knows.
func (c *cluster) traces() []string {
	var traces []string
	for _, n := range nodes {
		addresses, _ := filepath.Glob(c.nodePath(n, "run", "containerd", "io.containerd.runtime.v2.task", "*", "*", "address"))
		for _, file := range addresses {
			address, _ := os.ReadFile(file)
			if socket, ok := strings.CutPrefix(strings.TrimSpace(string(address)), "unix://"); ok && strings.HasPrefix(socket, "/run/containerd/s/") {
				traces = append(traces, socket)
			}
		}
		sandboxes, _ := filepath.Glob(c.nodePath(n, "run", "containerd", "io.containerd.grpc.v1.cri", "sandboxes", "*"))
		for _, sandbox := range sandboxes {
			results, _ := filepath.Glob("/var/lib/cni/results/*-" + filepath.Base(sandbox) + "-*")
			traces = append(traces, results...)
		}
		results, _ := filepath.Glob("/var/lib/cni/results/" + n.namespace() + "-*")
		traces = append(traces, results...)
	}
	// The kubelet's links to pods' logs.
	links, _ := filepath.Glob("/var/log/containers/*.log")
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, c.state+"/") {
			traces = append(traces, link)
		}
	}
	if entries, err := os.ReadDir("/var/lib/kubelet"); err == nil && len(entries) == 1 && entries[0].Name() == "device-plugins" {
		traces = append(traces, "/var/lib/kubelet/device-plugins/kubelet.sock")
	}
	return traces
}

// Everything mounted under the state, the last first.
func (c *cluster) unmount() error {
	for range 3 {
		mounts, err := mountsUnder(c.state)
		if err != nil {
			return err
		}
		if len(mounts) == 0 {
			return nil
		}
		for _, mount := range slices.Backward(mounts) {
			_ = syscall.Unmount(mount, syscall.MNT_DETACH)
		}
	}
	mounts, err := mountsUnder(c.state)
	if err == nil && len(mounts) > 0 {
		err = fmt.Errorf("%d mounts cannot be undone, %s for one", len(mounts), mounts[0])
	}
	return err
}

func mountsUnder(folder string) ([]string, error) {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var mounts []string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 4 && strings.HasPrefix(fields[4], folder+"/") {
			mounts = append(mounts, fields[4])
		}
	}
	return mounts, nil
}

func removeTraces(traces []string) {
	for _, trace := range traces {
		_ = os.Remove(trace)
	}
	// Empty folders go; others are somebody's.
	for _, folder := range []string{
		"/var/lib/kubelet/device-plugins", "/var/lib/kubelet", "/var/log/containers", "/var/lib/cni/results", "/var/lib/cni/networks",
		"/var/lib/cni", "/run/containerd/s", "/run/containerd",
	} {
		_ = syscall.Rmdir(folder)
	}
}

func (c *cluster) clean() error {
	if err := c.down(); err != nil {
		return err
	}
	mounts, err := mountsUnder(c.cache)
	if err != nil {
		return err
	}
	if len(mounts) > 0 {
		return fmt.Errorf("%s is a mount in the cache: unmount it first", mounts[0])
	}
	say("removing %s", c.cache)
	return os.RemoveAll(c.cache)
}

func (c *cluster) status(ctx context.Context) error {
	all := true
	if !c.isOurs() {
		all = false
		if len(c.processes()) == 0 {
			return errNotUp
		}
		fmt.Println("made by another version of this program, or cut off half-way: `up` starts it anew, `down` clears it away")
	}
	parts := c.parts()
	if _, running := c.find(c.kwok()); running {
		parts = append(parts, c.kwok())
	}
	for _, p := range parts {
		running, ok := c.find(p)
		state := "running"
		switch {
		case !ok:
			state, all = "not running", false
		case running.state == 'T':
			state, all = "paused", false
		case p.ready != nil:
			if err := p.ready(ctx); err != nil {
				state, all = "running, not ready: "+err.Error(), false
			}
		}
		fmt.Printf("%-26s %7d  %s\n", p.name, running.pid, state)
	}
	if !all {
		return errors.New("the test cluster is not wholly up")
	}
	return nil
}
