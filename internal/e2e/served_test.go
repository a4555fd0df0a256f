//go:build e2e

package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"aliyun_cas_exporter/internal/proctest"
	"aliyun_cas_exporter/internal/simulator"
)

const (
	oldServed   = "AliyunCasOldCertificateServed"
	unreachable = "AliyunCasDeployedHostUnreachable"
)

// issuer issues certificates.
type issuer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign returns a certificate of a key; an issuer without a certificate signs its own.
func (i issuer) sign(t *testing.T, name string, ca bool, until time.Time, key *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: until,
		IsCA: ca, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	if !ca {
		template.DNSNames = []string{name}
	}
	parent := i.cert
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), i.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func newRoot(t *testing.T, name string, until time.Time) issuer {
	t.Helper()
	key := newKey(t)
	return issuer{issuer{nil, key}.sign(t, name, true, until, key), key}
}

// edge is a TLS server on loopback, as a load balancer or a CDN is one.
type edge struct {
	key    *ecdsa.PrivateKey
	port   int
	serves atomic.Pointer[tls.Certificate]
}

func newEdge(t *testing.T) *edge {
	t.Helper()
	e := &edge{key: newKey(t)}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return e.serves.Load(), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_ = conn.(*tls.Conn).Handshake() //nolint:forcetypeassert // tls.Listen's are
				_ = conn.Close()
			}()
		}
	}()
	e.port = listener.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // of tcp
	return e
}

// serve makes the edge send these certificates, its own first.
func (e *edge) serve(chain ...*x509.Certificate) {
	c := &tls.Certificate{PrivateKey: e.key}
	for _, cert := range chain {
		c.Certificate = append(c.Certificate, cert.Raw)
	}
	e.serves.Store(c)
}

func (e *edge) address() string { return "localhost:" + strconv.Itoa(e.port) }

// probes starts a prober that trusts a root, with the shipped module, and lets Prometheus probe the exporter's targets by
// the shipped scrape job.
func (w *world) probes(exporter *proctest.Process, root issuer) {
	w.Helper()
	dir := filepath.Dir(w.targets)
	shipped := func(name string, replace ...string) string {
		text, err := os.ReadFile("../../deploy/prometheus/" + name)
		if err != nil {
			w.Fatal(err)
		}
		for i := 0; i < len(replace); i += 2 {
			if strings.Count(string(text), replace[i]) != 1 {
				w.Fatalf("%s does not have one %s", name, replace[i])
			}
			text = []byte(strings.Replace(string(text), replace[i], replace[i+1], 1))
		}
		return string(text)
	}
	w.write(dir+"/ca.pem", "%s", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.cert.Raw}))
	w.write(dir+"/blackbox.yml", "%s", shipped("blackbox.yml", "tls: true", "tls: true, tls_config: {ca_file: "+dir+"/ca.pem}"))
	blackbox := start(w.T, nil, program(w.T, "E2E_BLACKBOX"), "--config.file="+dir+"/blackbox.yml", "--web.listen-address=127.0.0.1:0")
	w.write(dir+"/served.yml", "%s", shipped("served.yml", "localhost:9115", blackbox.Address,
		`url: "http://localhost:10077/probe-targets"`, fmt.Sprintf(`url: "http://%s/probe-targets", refresh_interval: 1s`, exporter.Address)))
	w.reload()
}

// deployedTo is a worker in success.
func deployedTo(id int64, product, region, domain string, port int, certID int64) simulator.Worker {
	return simulator.Worker{
		ID: id, Status: "success", CloudProduct: product, RegionID: region, ResourceDomain: domain, Port: port,
		CertID: certID, CertName: fmt.Sprintf("cert-%d", certID), Modified: time.Now(),
	}
}

// TestOldCertificateServed: of hosts that CAS deployed to, one goes on serving its old certificate, and one serves what no
// client takes. Both are told, until they serve the new one; whatever else may look like that raises nothing.
func TestOldCertificateServed(t *testing.T) {
	w := newWorld(t)
	now := time.Now().Truncate(time.Second)
	days := func(n int) time.Time { return now.AddDate(0, 0, n) }
	root, other := newRoot(t, "root", days(3650)), newRoot(t, "another root", days(5))
	key := newKey(t)
	intermediate, cross := issuer{root.sign(t, "intermediate", true, days(2000), key), key}, other.sign(t, "intermediate", true, days(5), key)

	stale, good, crossed, shared, renewed, foreign := newEdge(t), newEdge(t), newEdge(t), newEdge(t), newEdge(t), newEdge(t)
	of := func(e *edge, until time.Time) *x509.Certificate {
		return intermediate.sign(t, "localhost", false, until, e.key)
	}
	stale.serve(of(stale, days(20)), intermediate.cert)
	good.serve(of(good, days(90)), intermediate.cert)
	crossed.serve(of(crossed, days(90)), intermediate.cert, cross)
	shared.serve(of(shared, days(90)), intermediate.cert)
	renewed.serve(of(renewed, days(90)), intermediate.cert) // not the certificate that was deployed
	foreign.serve(other.sign(t, "localhost", false, days(90), foreign.key))

	put := func(id int64, name string, certificate int64, until time.Time, workers ...simulator.Worker) {
		at := now.Add(-time.Hour)
		w.api.PutJob(simulator.Job{
			ID: id, Name: name, Status: "success", JobType: "user", CertType: "upload", Created: at, Modified: at, Schedule: at, Start: at, End: at,
			Certificates: []simulator.Certificate{{ID: certificate, Name: fmt.Sprintf("cert-%d", certificate), CommonName: "localhost", NotBefore: at, NotAfter: until}},
		}, workers)
	}
	put(8887, "last-year", 76, days(400), deployedTo(1, "SLB", "cn-hangzhou", "localhost", shared.port, 76))
	put(8888, "renew-www", 77, days(90),
		deployedTo(11, "ALB", "cn-hangzhou", "localhost", stale.port, 77), deployedTo(12, "SLB", "cn-hangzhou", "localhost", good.port, 77),
		deployedTo(13, "SLB", "cn-hangzhou", "localhost", crossed.port, 77), deployedTo(14, "SLB", "cn-hangzhou", "localhost", shared.port, 77),
		deployedTo(15, "SLB", "cn-hangzhou", "localhost", renewed.port, 77), deployedTo(16, "NLB", "cn-beijing", "localhost", foreign.port, 77),
		deployedTo(17, "CDN", "", "*.example.com", 0, 77), deployedTo(18, "SLB", "cn-hangzhou", "127.0.0.1", good.port, 77))
	exporter := w.ready(w.exporter("CAS_PROBE_TARGETS_PER_JOB=100"))
	w.scrape(exporter)
	began := time.Now()
	w.probes(exporter, root)

	all := map[string]float64{}
	for _, e := range []*edge{stale, good, crossed, shared, renewed, foreign} {
		all[e.address()] = 1
	}
	all[foreign.address()] = 0
	w.sees(`probe_success{job="served-certificates",job_id="8888"}`, "instance", all)
	seen := time.Since(began)
	w.showTargets()

	n := w.hook.firing(t, map[string]string{"alertname": oldServed})
	t.Logf("probed after %v, told after %v of which the rules wait 30 s (30 minutes)", seen.Round(time.Millisecond), n.arrived.Sub(began).Round(time.Millisecond))
	stamp := func(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 +0000 UTC") }
	w.says(n, map[string]string{
		"alertname": oldServed, "severity": "critical", "job_id": "8888", "cert_id": "77", "cert_name": "cert-77",
		"cloud_product": "ALB", "region_id": "cn-hangzhou", "instance": stale.address(),
	}, "8888 (renew-www)", stale.address(), "ALB in cn-hangzhou", "cert-77", stamp(days(20)), stamp(days(90)))
	refused := w.hook.firing(t, map[string]string{"alertname": unreachable})
	w.says(refused, map[string]string{
		"alertname": unreachable, "severity": "warning", "job_id": "8888", "cert_id": "77", "cert_name": "cert-77",
		"cloud_product": "NLB", "region_id": "cn-beijing", "instance": foreign.address(),
	}, "8888 (renew-www)", foreign.address(), "NLB in cn-beijing", stamp(days(90)))

	mended := time.Now()
	stale.serve(of(stale, days(90)), intermediate.cert)
	foreign.serve(of(foreign, days(90)), intermediate.cert)
	w.hook.resolved(t, n)
	t.Logf("ended %v after the host serves the new one, of which the rules wait 15 s (15 minutes)", time.Since(mended).Round(time.Millisecond))
	w.hook.resolved(t, refused)
	w.only(oldServed, unreachable)
	if got := w.hook.matching("firing", nil); len(got) != 2 {
		t.Errorf("%d alerts arrived, want one of each: %v", len(got), got)
	}
}

// showTargets logs the targets as Prometheus has them.
func (w *world) showTargets() {
	w.Helper()
	var found struct {
		ActiveTargets []struct {
			ScrapePool, ScrapeURL, Health string
			Labels                        map[string]string
		}
	}
	if problem := w.ask("targets", url.Values{"state": {"active"}}, &found); problem != "" {
		w.Error(problem)
	}
	var lines []string
	for _, target := range found.ActiveTargets {
		lines = append(lines, fmt.Sprintf("%s %s %s %s", target.ScrapePool, target.Health, target.ScrapeURL, text(target.Labels)))
	}
	slices.Sort(lines)
	w.Logf("targets:\n%s", strings.Join(lines, "\n"))
}
