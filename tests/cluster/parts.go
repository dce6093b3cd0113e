package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// A process of the cluster.
type part struct {
	name    string
	node    node // whose network it is in
	program string
	args    []string
	env     []string
	ready   func(context.Context) error // nil: it is when it runs
}

// In the order in which they start.
func (c *cluster) parts() []part {
	parts := []part{c.registry(), c.etcd(), c.apiServer()}
	for _, n := range nodes {
		parts = append(parts, c.containerd(n))
	}
	parts = append(parts, c.controllerManager(), c.scheduler(), c.volcanoWebhook(), c.volcanoControllers(), c.volcanoScheduler())
	for _, n := range nodes {
		parts = append(parts, c.kubelet(n), c.kubeProxy(n))
	}
	return append(parts, c.coreDNS())
}

// Everything that no test needs to choose is said on the command line, so that `ps` tells all.
func (c *cluster) etcd() part {
	const client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
	return part{name: "etcd", node: nodes[0], program: c.program("etcd"), args: []string{
		"--data-dir", c.path("etcd"),
		"--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
		"--unsafe-no-fsync", // it is made anew after a crash of the machine
		"--quota-backend-bytes", "4294967296", "--auto-compaction-retention", "1h",
		"--log-level", "warn",
	}}
}

func (c *cluster) apiServer() part {
	pki := func(file string) string { return c.path("pki", file) }
	return part{name: "kube-apiserver", node: nodes[0], program: c.program("kube-apiserver"), args: []string{
		"--etcd-servers", "http://127.0.0.1:2379",
		"--bind-address", node1Address, "--advertise-address", node1Address, "--secure-port", "6443",
		"--service-cluster-ip-range", serviceRange,
		"--client-ca-file", pki("ca.crt"), "--tls-cert-file", pki("apiserver.crt"), "--tls-private-key-file", pki("apiserver.key"),
		"--service-account-issuer", "https://kubernetes.default.svc",
		"--service-account-key-file", pki("service-accounts.pub"), "--service-account-signing-key-file", pki("service-accounts.key"),
		"--authorization-mode", "Node,RBAC", "--enable-admission-plugins", "NodeRestriction", "--allow-privileged",
		"--kubelet-client-certificate", pki("apiserver-kubelet.crt"), "--kubelet-client-key", pki("apiserver-kubelet.key"),
		"--kubelet-preferred-address-types", "InternalIP",
		"--requestheader-client-ca-file", pki("ca.crt"), "--requestheader-allowed-names", "front-proxy",
		"--requestheader-username-headers", "X-Remote-User", "--requestheader-group-headers", "X-Remote-Group",
		"--requestheader-extra-headers-prefix", "X-Remote-Extra-",
		"--proxy-client-cert-file", pki("front-proxy.crt"), "--proxy-client-key-file", pki("front-proxy.key"),
		// For the sizes of the nodes.
		"--feature-gates", "MutatingAdmissionPolicy=true", "--runtime-config", "admissionregistration.k8s.io/v1beta1=true",
		// The tests count requests in it: a request is in the log before it is answered, and the log is
		// never cut in two.
		"--audit-policy-file", c.path("audit.yaml"), "--audit-log-path", c.path("log", "audit.jsonl"),
		"--audit-log-mode", "blocking", "--audit-log-maxsize", "100000",
	}, ready: c.apiServerReady}
}

func (c *cluster) controllerManager() part {
	pki := func(file string) string { return c.path("pki", file) }
	return part{name: "kube-controller-manager", node: nodes[0], program: c.program("kube-controller-manager"), args: []string{
		"--kubeconfig", c.kubeconfig("kube-controller-manager"), "--bind-address", "127.0.0.1", "--leader-elect=false",
		"--use-service-account-credentials", "--service-account-private-key-file", pki("service-accounts.key"),
		"--root-ca-file", pki("ca.crt"), "--cluster-signing-cert-file", pki("ca.crt"), "--cluster-signing-key-file", pki("ca.key"),
		"--cluster-cidr", podRange, "--service-cluster-ip-range", serviceRange,
	}}
}

func (c *cluster) scheduler() part {
	return part{name: "kube-scheduler", node: nodes[0], program: c.program("kube-scheduler"), args: []string{
		"--kubeconfig", c.kubeconfig("kube-scheduler"), "--bind-address", "127.0.0.1", "--leader-elect=false",
	}}
}

func (c *cluster) registry() part {
	return part{name: "registry", node: nodes[0], program: c.program("registry"),
		args:  []string{"serve", c.path("registry.yaml")},
		env:   []string{"OTEL_TRACES_EXPORTER=none"},
		ready: func(ctx context.Context) error { return httpReady(ctx, "http://"+registryAddress+"/v2/") }}
}

func (c *cluster) coreDNS() part {
	return part{name: "coredns", node: nodes[0], program: c.program("coredns"),
		args:  []string{"-conf", c.path("Corefile")},
		ready: func(context.Context) error { return dial("tcp", clusterDNS+":53") }}
}

func (c *cluster) writeControlPlane() error {
	for path, content := range map[string]string{
		c.path("audit.yaml"): string(source("files/audit.yaml")),
		// What was pushed stays in the cache, and is there again at the next start.
		c.path("registry.yaml"): fmt.Sprintf(`version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: %s}, delete: {enabled: true}}
http: {addr: "%s"}
`, c.cached("registry"), registryAddress),
		c.path("Corefile"): fmt.Sprintf(`.:53 {
  bind %s
  errors
  kubernetes %s in-addr.arpa {
    kubeconfig %s
    pods insecure
    ttl 1
  }
}
`, clusterDNS, clusterDomain, c.kubeconfig("coredns")),
	} {
		if err := write(path, content); err != nil {
			return err
		}
	}
	return nil
}

func dial(network, address string) error {
	connection, err := net.DialTimeout(network, address, time.Second)
	if err == nil {
		connection.Close()
	}
	return err
}

var direct = &http.Client{Transport: &http.Transport{Proxy: nil}}

func httpReady(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := direct.Do(request)
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	return nil
}
