package simulator

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"time"
)

// HostsJobID is the job that ServeHosts adds.
const HostsJobID = 240580

// ServeHosts adds a finished job whose three hosts are real: TLS servers on loopback with certificates for localhost. Two
// serve the certificate of the job, and one goes on serving the one before, which expires in three weeks. Their CA is
// written to ca, in PEM; if that fails, there is no such job.
func (s *Simulator) ServeHosts(ca io.Writer) (stop func(), err error) {
	const id, day = HostsJobID, 24 * time.Hour
	now := s.options.Now().Truncate(time.Second)
	at, until := now.Add(-time.Hour), now.Add(90*day)
	root, certificates, err := localhost(now, until, until, now.Add(21*day))
	if err != nil {
		return nil, err
	}
	if err = pem.Encode(ca, &pem.Block{Type: "CERTIFICATE", Bytes: root}); err != nil {
		return nil, err
	}
	var servers []*http.Server
	stop = func() {
		for _, server := range servers {
			_ = server.Close()
		}
	}
	var workers []Worker
	for i, certificate := range certificates {
		listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it returns at once
		if err != nil {
			stop()
			return nil, err
		}
		server := &http.Server{
			Handler: http.NotFoundHandler(), ReadHeaderTimeout: 5 * time.Second, ErrorLog: log.New(io.Discard, "", 0),
			TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}},
		}
		servers = append(servers, server)
		go func() { _ = server.ServeTLS(listener, "", "") }()
		workers = append(workers, Worker{
			ID: 4_180_000 + int64(i), Status: "success", CloudProduct: []string{"ALB", "SLB", "NLB"}[i], RegionID: "cn-hangzhou",
			ResourceDomain: "localhost", Port: listener.Addr().(*net.TCPAddr).Port, //nolint:forcetypeassert // of tcp
			CertID: id * 10, CertName: "cert-served-example-com", Created: at.Add(-10 * time.Minute), Modified: at,
		})
	}
	s.PutJob(Job{
		ID: id, InstanceID: fmt.Sprintf("cas-job-user-%d", id), Name: "served-example-com", Status: "success", JobType: "user", CertType: "upload",
		CertDomain: "localhost", ProductName: "ALB,SLB,NLB", Created: at.Add(-10 * time.Minute), Schedule: at.Add(-9 * time.Minute),
		Start: at.Add(-8 * time.Minute), End: at, Modified: at,
		Certificates: []Certificate{{ID: id * 10, Name: "cert-served-example-com", CommonName: "localhost", NotBefore: at, NotAfter: until}},
	}, workers)
	return stop, nil
}

// localhost returns certificates for localhost, which expire at these times, and that of the CA which signed them.
func localhost(now time.Time, expire ...time.Time) (root []byte, certificates []tls.Certificate, err error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "aliyun_cas_exporter demo"}, NotBefore: now.AddDate(0, 0, -100),
		NotAfter: now.AddDate(10, 0, 0), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	if root, err = x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey); err != nil {
		return nil, nil, err
	}
	for i, notAfter := range expire {
		der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
			SerialNumber: big.NewInt(int64(2 + i)), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
			NotBefore: notAfter.AddDate(0, 0, -91), NotAfter: notAfter, KeyUsage: x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		}, ca, key.Public(), caKey)
		if err != nil {
			return nil, nil, err
		}
		certificates = append(certificates, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key})
	}
	return root, certificates, nil
}
