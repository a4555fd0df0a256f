package credentials

import (
	"context"
	"time"

	"aliyun_cas_exporter/internal/aliyun/rpc"
)

// lease is credentials and the time when they expire; zero means never.
type lease struct {
	cred    rpc.Credentials
	expires time.Time
}

func (l lease) valid(now time.Time) bool { return l.expires.IsZero() || now.Before(l.expires) }

// source fetches credentials; refused says that the API refused those of the last
// fetch. It is never asked twice at a time.
type source interface {
	fetch(ctx context.Context, refused bool) (lease, error)
}

// static are credentials that never change.
type static struct{ cred rpc.Credentials }

func (s static) fetch(context.Context, bool) (lease, error) { return lease{cred: s.cred}, nil }
