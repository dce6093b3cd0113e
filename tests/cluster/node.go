package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Each node has its own containerd: two kubelets on one would delete each other's pods.
func (c *cluster) containerd(n node) part {
	socket := c.containerdSocket(n)
	return part{name: "containerd-" + n.name, node: n, program: c.system("containerd"),
		args:  []string{"--config", c.nodePath(n, "containerd.toml")},
		ready: func(context.Context) error { return dial("unix", socket) }}
}

func (c *cluster) containerdSocket(n node) string { return c.nodePath(n, "run", "containerd.sock") }

func (c *cluster) kubelet(n node) part {
	return part{name: "kubelet-" + n.name, node: n, program: c.program("kubelet"), args: []string{
		"--config", c.nodePath(n, "kubelet.yaml"), "--kubeconfig", c.kubeconfig(n.name),
		"--hostname-override", n.name, "--node-ip", n.address, "--node-labels", "type=" + n.kind,
		"--root-dir", c.nodePath(n, "kubelet"), "--cert-dir", c.nodePath(n, "kubelet", "pki"),
	}, ready: func(ctx context.Context) error { return c.nodeReady(ctx, n) }}
}

func (c *cluster) kubeProxy(n node) part {
	return part{name: "kube-proxy-" + n.name, node: n, program: c.program("kube-proxy"),
		args: []string{"--config", c.nodePath(n, "kube-proxy.yaml")}}
}

func (c *cluster) writeNode(n node) error {
	plugins, err := cniPlugins()
	if err != nil {
		return err
	}
	run := func(name string) string { return c.nodePath(n, "run", name) }
	pki := func(file string) string { return c.path("pki", file) }

	files := map[string]string{
		// root, state, socket and pods' namespaces in the node's folder, so that the machine's own
		// containerd, if there is one, is not in the way.
		c.nodePath(n, "containerd.toml"): fmt.Sprintf(`version = 2
root = %q
state = %q
[grpc]
  address = %q
[plugins."io.containerd.internal.v1.opt"]
  path = %q
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  netns_mounts_under_state_dir = true
  # A root without CAP_SYS_RESOURCE may not lower an OOM score; runc dies of it without a word.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = %q
    conf_dir = %q
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = %q
  [plugins."io.containerd.grpc.v1.cri".containerd]
    discard_unpacked_layers = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
      Root = %q
`, c.nodePath(n, "containerd"), run("containerd"), c.containerdSocket(n), c.nodePath(n, "opt"), pauseImage().name,
			plugins, c.nodePath(n, "cni"), c.path("registries"), run("runc")),

		c.nodePath(n, "cni", "10-"+n.name+".conflist"): fmt.Sprintf(`{"cniVersion": "0.4.0", "name": %q, "plugins": [
  {"type": "bridge", "bridge": "pods", "isGateway": true, "hairpinMode": true, "ipMasq": false,
   "ipam": {"type": "host-local", "dataDir": %q, "ranges": [[{"subnet": %q}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}
]}
`, n.namespace(), run("ipam"), n.pods),

		c.nodePath(n, "resolv.conf"): "nameserver " + clusterDNS + "\n",

		c.nodePath(n, "kubelet.yaml"): fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: %[1]s
healthzBindAddress: 127.0.0.1
tlsCertFile: %[2]s
tlsPrivateKeyFile: %[3]s
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: %[4]s}}
authorization: {mode: Webhook}
containerRuntimeEndpoint: unix://%[5]s
cgroupDriver: cgroupfs
cgroupRoot: %[6]s
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
clusterDomain: %[7]s
clusterDNS: [%[8]s]
resolvConf: %[9]s
podLogsDir: %[10]s
staticPodPath: %[11]s
volumePluginDir: %[12]s
# A nearly full disk must neither evict the pods nor delete the images.
evictionHard: {memory.available: 100Mi, nodefs.available: 1%%, imagefs.available: 1%%}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
serializeImagePulls: false
nodeStatusUpdateFrequency: 5s
maxPods: 250
`, n.address, pki(n.name+".crt"), pki(n.name+".key"), pki("ca.crt"), c.containerdSocket(n), n.cgroup(),
			clusterDomain, clusterDNS, c.nodePath(n, "resolv.conf"), c.nodePath(n, "pods"), c.nodePath(n, "manifests"), run("volume-plugins")),

		c.nodePath(n, "kube-proxy.yaml"): fmt.Sprintf(`apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clientConnection: {kubeconfig: %s}
clusterCIDR: %s
hostnameOverride: %s
bindAddress: %s
# The machine's settings of connection tracking are not ours to change.
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
`, c.kubeconfig("kube-proxy"), podRange, n.name, n.address),

		// One registry answers for all: any image name is looked up in ours.
		c.path("registries", "_default", "hosts.toml"): fmt.Sprintf(`server = "http://%[1]s"
[host."http://%[1]s"]
  capabilities = ["pull", "resolve"]
`, registryAddress),
	}
	for path, content := range files {
		if err := write(path, content); err != nil {
			return err
		}
	}
	for _, folder := range []string{"run", "kubelet", "manifests", "pods"} {
		if err := os.MkdirAll(c.nodePath(n, folder), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// A kubelet has as many cores to give as its machine, whatever that is. This makes it a fixed number:
// the same job fits, or does not, everywhere. Real cores are shared, so on a small machine things just
// take longer.
const nodeSizes = `apiVersion: admissionregistration.k8s.io/v1beta1
kind: MutatingAdmissionPolicy
metadata: {name: node-sizes}
spec:
  failurePolicy: Fail
  reinvocationPolicy: Never
  matchConstraints:
    resourceRules:
    - {apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [nodes, nodes/status]}
  matchConditions:
  - {name: real, expression: "object.metadata.name.startsWith('node-') && has(object.status.allocatable)"}
  mutations:
  - patchType: JSONPatch
    jsonPatch:
      expression: |
        [
          JSONPatch{op: "add", path: "/status/capacity/cpu", value: "%[1]d"},
          JSONPatch{op: "add", path: "/status/allocatable/cpu", value: "%[1]d"}
        ]
`

const nodeSizesBinding = `apiVersion: admissionregistration.k8s.io/v1beta1
kind: MutatingAdmissionPolicyBinding
metadata: {name: node-sizes}
spec: {policyName: node-sizes}
`

func applyNodeSizes(ctx context.Context, api *apiClient) error {
	const group = "/apis/admissionregistration.k8s.io/v1beta1/"
	return errors.Join(
		api.apply(ctx, group+"mutatingadmissionpolicies/node-sizes", fmt.Sprintf(nodeSizes, coresOfNode)),
		api.apply(ctx, group+"mutatingadmissionpolicybindings/node-sizes", nodeSizesBinding),
	)
}

// Debian puts the plugins here, other distributions there.
func cniPlugins() (string, error) {
	for _, folder := range []string{"/usr/lib/cni", "/opt/cni/bin"} {
		if _, err := os.Stat(filepath.Join(folder, "bridge")); err == nil {
			return folder, nil
		}
	}
	return "", fmt.Errorf("there are no CNI plugins in /usr/lib/cni: install containernetworking-plugins")
}
