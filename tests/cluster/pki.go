package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// One authority signs everything: servers, components, users, Volcano's webhook.
func (c *cluster) makePKI() error {
	if err := os.MkdirAll(c.path("pki"), 0o700); err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sparkctl test cluster"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, authority, authority, &key.PublicKey, key)
	if err != nil {
		return err
	}
	ca := toPEM("CERTIFICATE", der)
	if err := c.writeSecret("ca.crt", ca); err != nil {
		return err
	}
	if err := c.writeKey("ca.key", key); err != nil {
		return err
	}

	// Service account tokens are signed with a key of their own.
	signer, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	if err := c.writeKey("service-accounts.key", signer); err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(&signer.PublicKey)
	if err != nil {
		return err
	}
	if err := c.writeSecret("service-accounts.pub", toPEM("PUBLIC KEY", public)); err != nil {
		return err
	}

	type identity struct {
		file, user, group string
		names             []string
		addresses         []string
		kubeconfig        bool
	}
	identities := []identity{
		{file: "apiserver", user: "kube-apiserver", names: []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc",
			"kubernetes.default.svc." + clusterDomain, "localhost"}, addresses: []string{"127.0.0.1", node1Address, kubernetesIP}},
		{file: "apiserver-kubelet", user: "apiserver-kubelet", group: "system:masters"},
		{file: "front-proxy", user: "front-proxy"},
		{file: "volcano-webhook", user: "volcano-webhook", names: []string{volcanoService + "." + volcanoNamespace + ".svc"}, addresses: []string{node1Address}},
		{file: "test-cluster", user: "test-cluster", group: "system:masters"}, // this program: not in the audit log
		{file: "admin", user: "admin", group: "system:masters", kubeconfig: true},
		// What it may do, the tests say.
		{file: "submitter", user: "submitter", kubeconfig: true},
		{file: "kube-controller-manager", user: "system:kube-controller-manager", kubeconfig: true},
		{file: "kube-scheduler", user: "system:kube-scheduler", kubeconfig: true},
		{file: "kube-proxy", user: "system:kube-proxy", kubeconfig: true},
		{file: "volcano", user: "volcano", group: "system:masters", kubeconfig: true},
		{file: "coredns", user: "coredns", group: "system:masters", kubeconfig: true},
		{file: "kwok", user: "kwok", group: "system:masters", kubeconfig: true},
	}
	for _, n := range nodes {
		identities = append(identities, identity{file: n.name, user: "system:node:" + n.name, group: "system:nodes",
			names: []string{n.name}, addresses: []string{n.address}, kubeconfig: true})
	}
	for i, one := range identities {
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		template := &x509.Certificate{
			SerialNumber: big.NewInt(int64(i) + 2), Subject: pkix.Name{CommonName: one.user},
			NotBefore: authority.NotBefore, NotAfter: authority.NotAfter, DNSNames: one.names,
			KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		}
		if one.group != "" {
			template.Subject.Organization = []string{one.group}
		}
		for _, address := range one.addresses {
			template.IPAddresses = append(template.IPAddresses, net.ParseIP(address))
		}
		der, err := x509.CreateCertificate(rand.Reader, template, authority, &private.PublicKey, key)
		if err != nil {
			return err
		}
		certificate := toPEM("CERTIFICATE", der)
		if err := c.writeSecret(one.file+".crt", certificate); err != nil {
			return err
		}
		if err := c.writeKey(one.file+".key", private); err != nil {
			return err
		}
		if !one.kubeconfig {
			continue
		}
		secret, err := os.ReadFile(c.path("pki", one.file+".key"))
		if err != nil {
			return err
		}
		if err := c.writeSecret(filepath.Base(c.kubeconfig(one.file)), fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters:
- name: sparkctl-test-cluster
  cluster: {server: "%s", certificate-authority-data: %s}
users:
- name: %s
  user: {client-certificate-data: %s, client-key-data: %s}
contexts:
- name: sparkctl-test-cluster
  context: {cluster: sparkctl-test-cluster, user: %[3]s, namespace: default}
current-context: sparkctl-test-cluster
`, apiServerURL, base64.StdEncoding.EncodeToString(ca), one.file,
			base64.StdEncoding.EncodeToString(certificate), base64.StdEncoding.EncodeToString(secret))); err != nil {
			return err
		}
	}
	return nil
}

func toPEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func (c *cluster) writeKey(file string, key any) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return c.writeSecret(file, toPEM("PRIVATE KEY", der))
}

func (c *cluster) writeSecret(file string, content []byte) error {
	return os.WriteFile(c.path("pki", file), content, 0o600)
}
