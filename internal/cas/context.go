package cas

import (
	"context"
	"io"
	"time"
)

// JobCounts is what DescribeDeploymentJobStatus counts; -1 where it gives no
// readable number.
type JobCounts struct {
	Workers     int64 // WorkerCount, of the job
	QuotaBought int64 // BuyCount, of the account
	QuotaUsed   int64 // UseCount, of the account
}

// CountJob reads the API's own counts of a job by DescribeDeploymentJobStatus.
func (c *Client) CountJob(ctx context.Context, id int64) (JobCounts, error) {
	var counts JobCounts
	err := c.call(ctx, "DescribeDeploymentJobStatus", jobParam(id), func(body io.Reader) error {
		counts = JobCounts{Workers: -1, QuotaBought: -1, QuotaUsed: -1}
		return c.decoders.decode(body, func(d *decoder) error {
			var e envelope
			err := d.object("the answer", func() error {
				switch string(d.Key()) {
				case "WorkerCount":
					counts.Workers = d.count()
				case "BuyCount":
					counts.QuotaBought = d.count()
				case "UseCount":
					counts.QuotaUsed = d.count()
				default:
					return e.fieldOrSkip(d)
				}
				return nil
			})
			if refusal := e.refusal(); refusal != nil {
				return refusal
			}
			return err
		})
	})
	return counts, err
}

// Certificate is a certificate that a job deploys.
type Certificate struct {
	ID               int64
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
			err := d.object("the answer", func() error {
				if string(d.Key()) != "Data" {
					return e.fieldOrSkip(d)
				}
				e.hasData = true
				return d.list("Data", maxRows, func() error {
					certs = append(certs, Certificate{})
					return certs[len(certs)-1].read(d)
				})
			})
			switch refusal := e.refusal(); {
			case refusal != nil:
				return refusal
			case err == nil && !e.hasData:
				return undocumented("Data is missing")
			}
			return err
		})
	})
	return earliest(certs), err
}

func (c *Certificate) read(d *decoder) error {
	return d.object("a certificate", func() error {
		switch string(d.Key()) {
		case "CertId":
			var err error
			c.ID, err = d.integer("CertId")
			return err
		case "CertName":
			c.Name = d.text()
		case "CommonName":
			c.CommonName = d.text()
		case "NotAfterTime":
			c.NotAfter = d.time()
		default:
			d.Skip()
		}
		return nil
	})
}

func (e *envelope) fieldOrSkip(d *decoder) error {
	known, err := e.field(d)
	if !known {
		d.Skip()
	}
	return err
}
