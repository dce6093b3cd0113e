package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// Just enough of a client for what this program asks of the API server, under a name of its own, so that
// nobody who reads the audit log takes it for a test.
type apiClient struct{ http *http.Client }

func (c *cluster) api() (*apiClient, error) {
	authority, err := os.ReadFile(c.path("pki", "ca.crt"))
	if err != nil {
		return nil, err
	}
	certificate, err := tls.LoadX509KeyPair(c.path("pki", "test-cluster.crt"), c.path("pki", "test-cluster.key"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	return &apiClient{&http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{certificate}},
			Proxy:           nil, // an http_proxy of this machine's knows no way to the cluster
		},
	}}, nil
}

var errNotFound = errors.New("not found")

func (a *apiClient) do(ctx context.Context, method, path, contentType, body string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, apiServerURL+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := a.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= 300 {
		var status struct{ Message string }
		if json.Unmarshal(answer, &status) != nil || status.Message == "" {
			status.Message = string(bytes.TrimSpace(answer))
		}
		err := fmt.Errorf("%s %s: %s: %s", method, path, response.Status, status.Message)
		if response.StatusCode == http.StatusNotFound {
			err = fmt.Errorf("%w (%w)", err, errNotFound)
		}
		return nil, err
	}
	return answer, nil
}

func (a *apiClient) get(ctx context.Context, path string, into any) error {
	answer, err := a.do(ctx, http.MethodGet, path, "", "")
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal(answer, into)
}

// Server-side apply, which takes YAML as it is.
func (a *apiClient) apply(ctx context.Context, path, yaml string) error {
	_, err := a.do(ctx, http.MethodPatch, path+"?fieldManager=test-cluster&force=true", "application/apply-patch+yaml", yaml)
	return err
}

func (a *apiClient) delete(ctx context.Context, path string) error {
	_, err := a.do(ctx, http.MethodDelete, path, "", "")
	if errors.Is(err, errNotFound) {
		return nil
	}
	return err
}

func (c *cluster) apiServerReady(ctx context.Context) error {
	api, err := c.api()
	if err != nil {
		return err
	}
	defer api.http.CloseIdleConnections()
	return api.get(ctx, "/readyz", nil)
}

func (c *cluster) nodeReady(ctx context.Context, n node) error {
	api, err := c.api()
	if err != nil {
		return err
	}
	defer api.http.CloseIdleConnections()
	var found struct {
		Status struct {
			Conditions  []struct{ Type, Status, Message string }
			Allocatable map[string]string
		}
	}
	if err := api.get(ctx, "/api/v1/nodes/"+n.name, &found); err != nil {
		return err
	}
	for _, condition := range found.Status.Conditions {
		if condition.Type == "Ready" {
			if condition.Status != "True" {
				return fmt.Errorf("node %s is not ready: %s", n.name, condition.Message)
			}
			if cpu := found.Status.Allocatable["cpu"]; n.kind != "" && cpu != strconv.Itoa(coresOfNode) {
				return fmt.Errorf("node %s has %s cores, not %d", n.name, cpu, coresOfNode)
			}
			return nil
		}
	}
	return fmt.Errorf("node %s does not say whether it is ready", n.name)
}
