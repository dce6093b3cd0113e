package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// kwok plays the kubelet of nodes that only exist in the API: for tests that need many.
func (c *cluster) kwok() part {
	return part{name: "kwok", node: nodes[0], program: c.program("kwok"), args: []string{
		"--kubeconfig", c.kubeconfig("kwok"), "--cidr", simulatedRange, "--node-ip", node1Address,
		"--manage-all-nodes=false", "--manage-nodes-with-annotation-selector", "kwok.x-k8s.io/node=fake",
	}}
}

func simulatedName(i int) string { return fmt.Sprintf("simulated-%d", i) }

func (c *cluster) simulateNodes(ctx context.Context, count int, labels []string, open bool) error {
	if !c.isOurs() {
		return errNotUp
	}
	api, err := c.api()
	if err != nil {
		return err
	}
	if count > 0 {
		if err := c.buildOwn(ctx, kwokTool); err != nil {
			return err
		}
		if err := c.ensure(ctx, c.kwok()); err != nil {
			return err
		}
	}
	var found struct {
		Items []struct{ Metadata struct{ Name string } }
	}
	if err := api.get(ctx, "/api/v1/nodes", &found); err != nil {
		return err
	}
	wanted := map[string]bool{}
	for i := range count {
		wanted[simulatedName(i+1)] = true
	}
	for _, item := range found.Items {
		name := item.Metadata.Name
		if strings.HasPrefix(name, "simulated-") && !wanted[name] {
			if err := api.delete(ctx, "/api/v1/nodes/"+name); err != nil {
				return err
			}
		}
	}
	all := map[string]string{"type": "simulated", "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
	for _, label := range labels {
		key, value, ok := strings.Cut(label, "=")
		if !ok {
			return usageError(fmt.Sprintf("label %q is not KEY=VALUE", label))
		}
		all[key] = value
	}
	taints := []map[string]string{}
	if !open {
		taints = append(taints, map[string]string{"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"})
	}
	room := map[string]string{"cpu": "64", "memory": "256Gi", "ephemeral-storage": "1Ti", "pods": "250"}
	for name := range wanted {
		labels := map[string]string{"kubernetes.io/hostname": name}
		for key, value := range all {
			labels[key] = value
		}
		body, err := json.Marshal(map[string]any{
			"apiVersion": "v1", "kind": "Node",
			"metadata": map[string]any{"name": name, "labels": labels, "annotations": map[string]string{"kwok.x-k8s.io/node": "fake"}},
			"spec":     map[string]any{"taints": taints},
		})
		if err != nil {
			return err
		}
		if err := api.apply(ctx, "/api/v1/nodes/"+name, string(body)); err != nil {
			return err
		}
		status, err := json.Marshal(map[string]any{"status": map[string]any{"allocatable": room, "capacity": room}})
		if err != nil {
			return err
		}
		if _, err := api.do(ctx, http.MethodPatch, "/api/v1/nodes/"+name+"/status", "application/merge-patch+json", string(status)); err != nil {
			return err
		}
	}
	for i := range count {
		if err := until(ctx, simulatedName(i+1), waitForNode, func() error {
			return c.nodeReady(ctx, node{name: simulatedName(i + 1)})
		}); err != nil {
			return err
		}
	}
	say("%d simulated nodes", count)
	return nil
}
