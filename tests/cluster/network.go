package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// One network namespace for each node, joined by cables (veth pairs):
//
//	this machine  198.18.0.1 ── 198.18.0.2  node-1  198.18.0.5 ── 198.18.0.6  node-2
//
// There is no default route: nothing can leave, and pulling from an unknown registry fails at once.
const hostLink = "sparkctl0"

func (c *cluster) makeNetwork(ctx context.Context) error {
	one, two := nodes[0], nodes[1]
	// For its own connections a node needs a route to the services, and any device will do: kube-proxy
	// rewrites their addresses first. Not every kernel has dummy devices; bridges are needed anyway.
	services := "link add services type bridge\nlink set services up\nroute add " + serviceRange + " dev services\n"
	for _, batch := range []struct{ namespace, commands string }{
		{"", "netns add " + one.namespace() + "\nnetns add " + two.namespace() + "\n" +
			"link add " + hostLink + " type veth peer name eth0 netns " + one.namespace() + "\n" +
			"addr add " + hostAddress + "/30 dev " + hostLink + "\nlink set " + hostLink + " up\n" +
			"route add " + podRange + " via " + one.address + "\n" +
			"route add " + serviceRange + " via " + one.address + "\n"},
		{one.namespace(), "link set lo up\naddr add " + one.address + "/30 dev eth0\nlink set eth0 up\n" + services +
			"link add node2 type veth peer name eth0 netns " + two.namespace() + "\n" +
			"addr add 198.18.0.5/30 dev node2\nlink set node2 up\n" +
			"route add " + two.pods + " via " + two.address + "\n"},
		{two.namespace(), "link set lo up\naddr add " + two.address + "/30 dev eth0\nlink set eth0 up\n" + services +
			"route add 198.18.0.0/30 via 198.18.0.5\nroute add " + one.pods + " via 198.18.0.5\n"},
	} {
		var where []string
		if batch.namespace != "" {
			where = []string{"-n", batch.namespace}
		}
		for _, line := range strings.Split(strings.TrimSpace(batch.commands), "\n") {
			if err := run(ctx, "ip", append(where, strings.Fields(line)...)...); err != nil {
				return fmt.Errorf("making the network: %w", err)
			}
		}
	}
	// Built into many kernels; where it is missing, the settings below fail with its path.
	_ = run(ctx, "modprobe", "-a", "br_netfilter", "overlay")
	for _, n := range nodes {
		for _, setting := range []string{"ipv4/ip_forward", "bridge/bridge-nf-call-iptables", "ipv4/conf/all/route_localnet"} {
			file := "/proc/sys/net/" + setting
			err := run(ctx, "nsenter", "--net=/run/netns/"+n.namespace(), "sh", "-c", "echo 1 >"+file)
			if err != nil {
				return fmt.Errorf("setting %s: %w", file, err)
			}
		}
	}
	return nil
}

func networkExists() bool {
	for _, n := range nodes {
		if _, err := os.Stat("/run/netns/" + n.namespace()); err != nil {
			return false
		}
	}
	_, err := os.Stat("/sys/class/net/" + hostLink)
	return err == nil
}

// Interfaces, routes and netfilter rules go with their namespaces.
func (c *cluster) removeNetwork() {
	ctx := context.Background()
	_ = run(ctx, "ip", "link", "del", hostLink)
	for _, n := range nodes {
		_ = run(ctx, "ip", "netns", "del", n.namespace())
	}
	// `ip` mounts the folder of the namespaces' names onto itself.
	if names, err := os.ReadDir("/run/netns"); err == nil && len(names) == 0 {
		_ = syscall.Unmount("/run/netns", 0)
		_ = os.Remove("/run/netns")
	}
}

// Resets the connections between this machine and the API server, idle ones too, from the server's side.
// A new one is answered as ever.
func (c *cluster) disconnect(ctx context.Context) error {
	if !c.isOurs() {
		return errNotUp
	}
	ss := func(option string) (string, error) {
		return tool{}.run(ctx, "nsenter", "--net=/run/netns/"+nodes[0].namespace(), "ss", option,
			"state", "established", "src", node1Address+":6443", "dst", hostAddress)
	}
	before, err := ss("-HtnO")
	if err != nil {
		return err
	}
	killed, err := ss("-KHtnO")
	if err != nil {
		return err
	}
	count := func(text string) int { return strings.Count(text, "\n") }
	if count(before) > 0 && count(killed) == 0 {
		return fmt.Errorf("none of %d connections was reset: is this kernel without CONFIG_INET_DIAG_DESTROY?", count(before))
	}
	say("%d connections reset", count(killed))
	return nil
}
