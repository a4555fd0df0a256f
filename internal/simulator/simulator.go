package simulator

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// The credentials that the simulator takes unless told otherwise.
const (
	DemoAccessKeyID     = "DEMO-ACCESS-KEY-ID"
	DemoAccessKeySecret = "DEMO-ACCESS-KEY-SECRET"
)

// Options configure a Simulator; the zero value is usable.
type Options struct {
	// Now is the service's clock; time.Now if nil.
	Now func() time.Time
	// AccessKeyID and AccessKeySecret are the accepted key, the demo key if empty.
	// SecurityToken is required with it unless empty.
	AccessKeyID, AccessKeySecret, SecurityToken string
	// Latency passes before every answer.
	Latency time.Duration
	// MaxShowSize, if not 0, is the largest page that is served.
	MaxShowSize int
	// OrderByModified lists workers by their last change instead of by id, so that
	// rows move between pages while they change.
	OrderByModified bool
}

// Simulator is a CAS with one account. It is safe for concurrent use.
type Simulator struct {
	options Options
	stats   stats
	faults  injected
	nonces  nonces

	mu      sync.Mutex
	key     key
	jobs    map[int64]*estate
	sorted  []*estate // the same, the newest first; nil when that changed
	quota   [2]int
	hook    func(Call)
	advance func(s *Simulator, now time.Time) // moves the demo estate
}

// New returns a Simulator without jobs.
func New(o Options) *Simulator {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.AccessKeyID == "" {
		o.AccessKeyID, o.AccessKeySecret = DemoAccessKeyID, DemoAccessKeySecret
	}
	return &Simulator{
		options: o, key: key{o.AccessKeyID, o.AccessKeySecret, o.SecurityToken},
		jobs: map[int64]*estate{}, nonces: nonces{seen: map[string]time.Time{}}, quota: [2]int{100, 0},
	}
}

// SetCredentials replaces the accepted key, as a rotation does.
func (s *Simulator) SetCredentials(id, secret, token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key = key{id, secret, token}
}

// refusal is an error as the gateway answers it.
type refusal struct {
	status        int
	code, message string
}

func refuse(w http.ResponseWriter, p refusal) {
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.Header().Set("X-Acs-Request-Id", requestID)
	w.WriteHeader(p.status)
	_ = json.NewEncoder(w).Encode(p.body())
}

func (p refusal) body() map[string]any {
	body := map[string]any{
		"RequestId": requestID, "HostId": "cas.aliyuncs.com", "Code": p.code, "Message": p.message,
		"Recommend": "https://api.aliyun.com/troubleshoot?q=" + p.code + "&product=cas",
	}
	if p.status == http.StatusForbidden {
		body["AccessDeniedDetail"] = map[string]any{
			"AuthAction": "yundun-cert:Read", "AuthPrincipalType": "SubUser",
			"AuthPrincipalDisplayName": "someone@example.com", "NoPermissionType": "ImplicitDeny",
		}
	}
	return body
}

const requestID = "5E0F3A52-0000-5000-8000-51A0DE300000"
