package cas

import (
	"context"
	"io"
	"slices"
	"time"
)

// Certificate is a certificate that a job deploys.
type Certificate struct {
	ID               int64 // 0 if unreadable: one that CAS has by its order has none
	Name, CommonName string
	NotAfter         time.Time // UTC; zero if unreadable
}

// ListCertificates reads the certificates of a job by ListDeploymentJobCert,
// which knows no pages.
func (c *Client) ListCertificates(ctx context.Context, id int64) ([]Certificate, error) {
	var certs []Certificate
	err := c.call(ctx, "ListDeploymentJobCert", jobParam(id), func(body io.Reader) error {
		certs = nil
		return c.decoders.decode(body, func(d *decoder) error {
			var e envelope
			e.list(d, maxRows, func() {
				certs = append(certs, Certificate{})
				certs[len(certs)-1].read(d)
			})
			if !e.hasData {
				d.complain("Data is missing")
			}
			return e.err(d)
		})
	})
	return earliest(certs), err
}

func (c *Certificate) read(d *decoder) {
	if !d.enter('{') {
		d.complain("a certificate is not an object")
		return
	}
	for d.field() {
		switch string(d.key) {
		case "CertId":
			c.ID = d.number()
		case "CertName":
			c.Name = d.text()
		case "CommonName":
			c.CommonName = d.text()
		case "NotAfterTime":
			c.NotAfter = d.time()
		default:
			d.skip()
		}
	}
}

// earliest merges certificates that nothing tells apart: those that CAS has by their
// order have no id, and two can have equal names. The one that expires first counts;
// one without a readable time does only alone.
func earliest(certs []Certificate) []Certificate {
	var all []Certificate
	for _, c := range certs {
		i := slices.IndexFunc(all, func(a Certificate) bool { return a.ID == c.ID && a.Name == c.Name && a.CommonName == c.CommonName })
		switch {
		case i < 0:
			all = append(all, c)
		case all[i].NotAfter.IsZero() || !c.NotAfter.IsZero() && c.NotAfter.Before(all[i].NotAfter):
			all[i] = c
		}
	}
	return all
}
