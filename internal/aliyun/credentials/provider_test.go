package credentials_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_cas_exporter/internal/aliyun/credentials"
	"aliyun_cas_exporter/internal/aliyun/rpc"
)

func broken(status int) func(*cloud) {
	return func(c *cloud) {
		c.fault = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
	}
}

func mended(c *cloud) { c.fault = nil }

func TestRefreshAheadOfTheEnd(t *testing.T) {
	for life, ahead := range map[time.Duration]time.Duration{
		time.Hour: 5 * time.Minute, 6 * time.Hour: 5 * time.Minute, 8 * time.Minute: 2 * time.Minute, time.Minute: 15 * time.Second,
	} {
		bubble(t, life, func(w *world) {
			w.is("STS.1")
			time.Sleep(life - ahead)
			w.is("STS.1")
			if n := len(w.asked()); n != 1 {
				w.Errorf("%v: %d fetches until %v before the end, want 1", life, n, ahead)
			}
			time.Sleep(time.Second)
			w.setSlow(2 * time.Second)
			start := time.Now()
			w.is("STS.1") // without waiting for the next
			w.setSlow(0)
			time.Sleep(3 * time.Second)
			w.is("STS.2")
			if n := len(w.asked()); n != 1 || time.Since(start) > 6*time.Second {
				w.Errorf("%v: %d fetches in %v, want 1", life, n, time.Since(start))
			}
		})
	}
}

// TestRefreshFails: what is still valid is used, to its last second and not longer,
// and a source that does not answer is not asked more often than every five.
func TestRefreshFails(t *testing.T) {
	bubble(t, time.Hour, func(w *world) {
		w.is("STS.1")
		end := time.Now().Add(time.Hour).Truncate(time.Second)
		w.set(broken(http.StatusServiceUnavailable))
		w.asked()
		time.Sleep(55*time.Minute + time.Second)
		asked := time.Now()
		for time.Now().Before(end) {
			w.is("STS.1")
			time.Sleep(min(time.Second, time.Until(end)))
		}
		if n, most := len(w.asked()), int(time.Since(asked)/(5*time.Second))+1; n < most/2 || n > most {
			w.Errorf("%d fetches in %v, want %d", n, time.Since(asked), most)
		}
		w.fails("credentials URI: answered with status 503")
		time.Sleep(10 * time.Minute)
		w.fails("credentials URI: answered with status 503")
		w.set(mended)
		w.fails("credentials URI: answered with status 503") // asked a moment ago
		time.Sleep(5 * time.Second)
		w.is("STS.2")
	})
}

func TestExpiredCredentialsAreNeverUsed(t *testing.T) {
	bubble(t, time.Hour, func(w *world) {
		w.is("STS.1")
		w.set(func(c *cloud) { c.life = -time.Minute })
		time.Sleep(56 * time.Minute)
		w.is("STS.1")
		synctest.Wait()
		w.is("STS.1") // they do not replace valid ones
		time.Sleep(time.Hour)
		w.fails("the source gave credentials that have expired; is the clock right?")
	})
}

func TestFetchIsShared(t *testing.T) {
	bubble(t, time.Hour, func(w *world) {
		w.setSlow(12 * time.Second)
		for round := 1; round <= 2; round++ { // at start, and after all have expired
			var callers sync.WaitGroup
			for i := range 50 {
				callers.Go(func() {
					time.Sleep(time.Duration(i) * 200 * time.Millisecond)
					if _, err := w.p.Credentials(w.Context()); err != nil {
						w.Error(err)
					}
				})
			}
			callers.Wait()
			if n := len(w.asked()); n != 1 {
				w.Errorf("round %d: %d fetches for 50 callers, want 1", round, n)
			}
			time.Sleep(2 * time.Hour)
		}
	})
}

// TestCallersLeave: each waits as long as its own context, and the fetch goes on
// for the others.
func TestCallersLeave(t *testing.T) {
	bubble(t, time.Hour, func(w *world) {
		w.setSlow(10 * time.Second)
		var callers sync.WaitGroup
		for i := range 5 {
			callers.Go(func() {
				start := time.Now()
				patience := time.Duration(i+1) * time.Second
				ctx, cancel := context.WithTimeout(w.Context(), patience)
				defer cancel()
				_, err := w.p.Credentials(ctx)
				if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != patience {
					w.Errorf("got %v after %v, want its deadline after %v", err, time.Since(start), patience)
				}
			})
		}
		callers.Go(func() {
			ctx, cancel := context.WithCancel(w.Context())
			time.AfterFunc(time.Second, cancel)
			if _, err := w.p.Credentials(ctx); !errors.Is(err, context.Canceled) {
				w.Errorf("got %v, want its cancellation", err)
			}
		})
		callers.Go(func() { w.is("STS.1") })
		callers.Wait()
		if n := len(w.asked()); n != 1 {
			w.Errorf("%d fetches, want 1", n)
		}
	})
}

func TestASourceThatHangsIsGivenUp(t *testing.T) {
	bubble(t, time.Hour, func(w *world) {
		w.setSlow(24 * time.Hour)
		start := time.Now()
		w.fails("credentials URI: no answer in time")
		if took := time.Since(start); took != 15*time.Second {
			w.Errorf("given up after %v, want 15s", took)
		}
		w.setSlow(0)
		w.is("STS.2")
	})
}

// TestFilesThatHang: what was read before serves, after one wait.
func TestFilesThatHang(t *testing.T) {
	bubble(t, time.Hour, func(w *world) {
		var hang chan struct{}
		id := "LTAIbase"
		w.p = credentials.NewLocal(func() rpc.Credentials {
			if hang != nil {
				<-hang
			}
			return rpc.NewCredentials(id, w.keys[id][0], "")
		})
		w.is("LTAIbase")
		hang, w.keys["LTAInext"] = make(chan struct{}), [2]string{"next", ""}
		id = "LTAInext"
		time.Sleep(time.Minute)
		for _, patience := range []time.Duration{15 * time.Second, 0, 0} {
			start := time.Now()
			w.is("LTAIbase")
			if took := time.Since(start); took != patience {
				w.Errorf("took %v, want %v", took, patience)
			}
		}
		close(hang)
		synctest.Wait()
		w.is("LTAInext")
	})
}

// TestRefusedCredentials: after a refusal the source is asked again before the next
// call; if it has nothing better, or does not answer, the old ones serve.
func TestRefusedCredentials(t *testing.T) {
	bubble(t, time.Hour, func(w *world) {
		w.is("STS.1")
		time.Sleep(10 * time.Second)
		w.p.Invalidate()
		w.p.Invalidate()
		w.setSlow(2 * time.Second)
		w.is("STS.2")
		w.is("STS.2")
		if n := len(w.asked()); n != 2 {
			w.Errorf("%d fetches, want 2", n)
		}
		w.setSlow(0)
		w.set(broken(http.StatusInternalServerError))
		time.Sleep(10 * time.Second)
		w.p.Invalidate()
		w.is("STS.2")
		w.p.Invalidate()
		w.is("STS.2")
		if n := len(w.asked()); n != 1 {
			w.Errorf("%d fetches at once, want 1", n)
		}
		w.set(mended)
		time.Sleep(10 * time.Second)
		w.is("STS.3")
	})
}

// TestAWrongClockHeals: the host's clock says that a key holds, the API that it has
// expired. One refusal, and another is fetched.
func TestAWrongClockHeals(t *testing.T) {
	bubble(t, time.Hour, func(w *world) {
		w.is("STS.1")
		time.Sleep(50 * time.Minute)
		w.set(func(c *cloud) { delete(c.keys, "STS.1") }) // ten minutes early by this clock
		if _, err := w.whoami(w.Context(), w.p); err == nil {
			w.Fatal("the expired key was accepted")
		}
		w.p.Invalidate()
		w.is("STS.2")
	})
}

// TestProvidersCannotBePrinted formats what holds secrets in every way.
func TestProvidersCannotBePrinted(t *testing.T) {
	c := newCloud()
	c.keys["CANARY"] = [2]string{"CANARY", "CANARY"}
	o := c.options()
	o.Transport = roundTripper(c.RoundTrip) // c itself would be printed
	o.Key, o.URI = rpc.NewCredentials("CANARY", "CANARY", "CANARY"), address("http://user:CANARY@uri.invalid/credentials?token=uri-token&x=CANARY")
	o.Role = credentials.Role{ARN: "acs:ram::1:role/x"}
	for _, source := range []string{"env", "uri"} {
		o.Source = source
		p := provider(t, o)
		if _, err := p.Credentials(t.Context()); err != nil {
			t.Fatal(err)
		}
		texts := map[string]string{}
		for _, verb := range []string{"%v", "%+v", "%#v", "%q", "%s", "%x", "%d"} {
			texts[verb] = fmt.Sprintf(strings.Repeat(verb+" ", 4), p, struct{ p *credentials.Provider }{p}, o, &o)
		}
		for _, v := range []any{p, o.Key} {
			text, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			texts["JSON"] += string(text)
		}
		var log strings.Builder
		for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
			slog.New(handler).Info("x", "p", p, "options", o, "key", o.Key)
		}
		texts["slog"] = log.String()
		for name, text := range texts {
			if strings.Contains(text, "CANARY") || strings.Contains(text, "43414e415259") || strings.Contains(text, "secret+/") {
				t.Errorf("%s: %s shows a secret: %s", source, name, text)
			}
		}
	}
}

// TestBadAnswers: whatever a service answers, the error is one known line.
func TestBadAnswers(t *testing.T) {
	const secret = `"AccessKeyId":"CANARY","AccessKeySecret":"CANARY","SecurityToken":"CANARY"`
	const page = "answered with a web page: something stands between the exporter and the API, such as a proxy, a firewall or a login page"
	for name, test := range map[string]struct {
		status    int
		body      string
		want, sts string // of a URI and the instance; of STS, if it is another
	}{
		"empty":           {200, "", "the answer is not the documented JSON", ""},
		"HTML":            {200, "<html>CANARY", page, ""},
		"torn":            {200, "{" + secret, "the answer is not the documented JSON", ""},
		"null":            {200, "null", "the answer holds no access key", ""},
		"a list":          {200, `["CANARY"]`, "the answer is not the documented JSON", ""},
		"no Expiration":   {200, "{" + secret + "}", "the answer holds no readable Expiration", "the answer holds no access key"},
		"bad Expiration":  {200, "{" + secret + `,"Expiration":"CANARY"}`, "the answer holds no readable Expiration", "the answer holds no access key"},
		"odd types":       {200, `{"AccessKeyId":{"CANARY":1},"Expiration":12345,"Code":["CANARY"]}`, "the answer holds no access key", ""},
		"a failure":       {200, "{" + secret + `,"Code":"CANARY"}`, "the answer says that it failed", "the answer holds no access key"},
		"too long":        {200, `{"x":"` + strings.Repeat("CANARY", 1<<18) + `"}`, "the answer is not the documented JSON", ""},
		"a numeric code":  {500, `{"Code":500,"Message":"CANARY"}`, "answered with status 500", ""},
		"a code":          {403, `{"Code":"NoPermission.CANARY1","Message":"CANARY"}`, "answered with status 403", ""},
		"no content":      {204, "", "answered with status 204", ""},
		"not to be found": {404, "CANARY", "answered with status 404", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud()
			o := c.serve(t)
			o.URI, o.ECSRoleName = address(o.STSEndpoint+"/credentials?token=CANARY"), "r"
			o.OIDCTokenFile = write(t, t.TempDir()+"/token", "CANARY")
			c.fault = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPut {
					fmt.Fprint(w, "imds-token")
					return
				}
				w.WriteHeader(test.status)
				fmt.Fprint(w, test.body)
			})
			if test.sts == "" {
				test.sts = test.want
			}
			credentialsOf := "instance metadata: credentials of the role: "
			if test.status == 200 && test.want != page {
				credentialsOf = "instance metadata: "
			}
			for source, want := range map[string]string{
				"uri": "credentials URI: " + test.want, "ecs_ram_role": credentialsOf + test.want, "oidc": "AssumeRoleWithOIDC: " + test.sts,
			} {
				o.Source = source
				fails(t, provider(t, o), want)
			}
			o.Source, o.Key, o.Role = "env", rpc.NewCredentials("LTAIbase", "base+secret/", ""), credentials.Role{ARN: "x"}
			_, err := provider(t, o).Credentials(t.Context())
			if text := fmt.Sprint(err); err == nil || test.status == 200 && text != "AssumeRole: "+test.sts || strings.ContainsAny(text, "\n\r") {
				t.Errorf("got %v, want one line about %s", err, test.sts)
			}
		})
	}
}
