package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"
)

const (
	volcanoNamespace = "volcano-system"
	volcanoService   = "volcano-admission-service"
	volcanoPort      = "8443"
)

func (c *cluster) volcanoScheduler() part {
	return part{name: "volcano-scheduler", node: nodes[0], program: c.program("volcano-scheduler"), args: []string{
		"--kubeconfig", c.kubeconfig("volcano"), "--scheduler-conf", c.path("volcano-scheduler.yaml"),
		"--leader-elect=false", "--schedule-period=1s", "--logtostderr",
	}}
}

// Without its controllers the default queue has no state, and every PodGroup is refused.
func (c *cluster) volcanoControllers() part {
	return part{name: "volcano-controllers", node: nodes[0], program: c.program("volcano-controllers"), args: []string{
		"--kubeconfig", c.kubeconfig("volcano"), "--leader-elect=false", "--enable-healthz=false", "--logtostderr",
	}}
}

func (c *cluster) volcanoWebhook() part {
	return part{name: "volcano-webhook", node: nodes[0], program: c.program("volcano-webhook"), args: []string{
		"--kubeconfig", c.kubeconfig("volcano"),
		"--enabled-admission=/jobs/mutate,/jobs/validate,/podgroups/validate,/queues/mutate,/queues/validate,/hypernodes/validate,/cronjobs/validate",
		"--tls-cert-file", c.path("pki", "volcano-webhook.crt"), "--tls-private-key-file", c.path("pki", "volcano-webhook.key"),
		"--ca-cert-file", c.path("pki", "ca.crt"), // it writes the bundle into its webhook configurations
		"--webhook-namespace", volcanoNamespace, "--webhook-service-name", volcanoService,
		"--listen-address", node1Address, "--port", volcanoPort, "--logtostderr",
	}, ready: func(context.Context) error { return dial("tcp", node1Address+":"+volcanoPort) }}
}

func (c *cluster) writeVolcano() error {
	return write(c.path("volcano-scheduler.yaml"), string(source("files/volcano-scheduler.yaml")))
}

// Where objects of a kind are, for the kinds that are taken from Volcano's own manifest.
var volcanoKinds = map[string]string{
	"CustomResourceDefinition":       "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/",
	"MutatingWebhookConfiguration":   "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/",
	"ValidatingWebhookConfiguration": "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/",
}

// Volcano's CRDs and webhook configurations, and the Service by which the API server finds the webhook:
// without a selector, with an EndpointSlice that names the process.
func (c *cluster) applyVolcano(ctx context.Context, api *apiClient) error {
	manifest, err := os.ReadFile(c.program("volcano.yaml"))
	if err != nil {
		return err
	}
	objects := []object{
		{"/api/v1/namespaces/" + volcanoNamespace, "apiVersion: v1\nkind: Namespace\nmetadata: {name: " + volcanoNamespace + "}\n"},
		{"/api/v1/namespaces/" + volcanoNamespace + "/services/" + volcanoService, fmt.Sprintf(`apiVersion: v1
kind: Service
metadata: {name: %s, namespace: %s}
spec: {ports: [{port: 443, targetPort: %s, protocol: TCP}]}
`, volcanoService, volcanoNamespace, volcanoPort)},
		{"/apis/discovery.k8s.io/v1/namespaces/" + volcanoNamespace + "/endpointslices/" + volcanoService, fmt.Sprintf(`apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: %[1]s, namespace: %[2]s, labels: {kubernetes.io/service-name: %[1]s}}
addressType: IPv4
ports: [{name: "", port: %[3]s, protocol: TCP}]
endpoints: [{addresses: [%[4]s], conditions: {ready: true}}]
`, volcanoService, volcanoNamespace, volcanoPort, node1Address)},
	}
	for _, one := range append(objects, pick(string(manifest), volcanoKinds)...) {
		if err := api.apply(ctx, one.path, one.yaml); err != nil {
			return err
		}
	}
	return nil
}

type object struct{ path, yaml string }

var (
	kindLine = regexp.MustCompile(`(?m)^kind: *(\S+) *$`)
	nameLine = regexp.MustCompile(`(?m)^  name: *"?([^\s"]+)"? *$`) // the first at this depth is metadata.name
)

// The documents of some kinds out of a manifest of many, in their order.
func pick(manifest string, kinds map[string]string) []object {
	var picked []object
	for _, document := range regexp.MustCompile(`(?m)^---.*$`).Split(manifest, -1) {
		kind := kindLine.FindStringSubmatch(document)
		if kind == nil || kinds[kind[1]] == "" {
			continue
		}
		metadata := document[max(0, strings.Index(document, "\nmetadata:")):]
		if name := nameLine.FindStringSubmatch(metadata); name != nil {
			picked = append(picked, object{kinds[kind[1]] + name[1], document})
		}
	}
	return picked
}

// Volcano is ready when a PodGroup would be accepted: the queue is open and the webhook answers.
func (c *cluster) volcanoReady(ctx context.Context, api *apiClient) error {
	return until(ctx, "Volcano to accept a PodGroup", 2*time.Minute, func() error {
		var queue struct{ Status struct{ State string } }
		if err := api.get(ctx, "/apis/scheduling.volcano.sh/v1beta1/queues/default", &queue); err != nil {
			return err
		}
		if queue.Status.State != "Open" {
			return errors.New("queue default is not open")
		}
		_, err := api.do(ctx, http.MethodPost, "/apis/scheduling.volcano.sh/v1beta1/namespaces/default/podgroups?dryRun=All", "application/yaml", `
apiVersion: scheduling.volcano.sh/v1beta1
kind: PodGroup
metadata: {generateName: ready-}
spec: {minMember: 1, queue: default}
`)
		return err
	})
}
