package credentials_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"aliyun_cas_exporter/internal/aliyun/credentials"
	"aliyun_cas_exporter/internal/aliyun/rpc"
)

// write writes a file, whole or not at all for those who read it.
func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".part", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".part", path); err != nil {
		t.Fatal(err)
	}
	return path
}

func expect(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(want, got) {
		diff := cmp.Diff(want, got)
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestEnv(t *testing.T) {
	c := newCloud()
	o := c.serve(t)
	o.Source, o.Key = "env", rpc.NewCredentials("LTAIbase", "base+secret/", "")
	p := provider(t, o)
	c.is(t, p, "LTAIbase")
	p.Invalidate()
	c.is(t, p, "LTAIbase")
	c.set(func(c *cloud) { c.keys["STS.env"] = [2]string{"s", "token"} })
	o.Key = rpc.NewCredentials("STS.env", "s", "token")
	c.is(t, provider(t, o), "STS.env")
	o.Key = rpc.Credentials{}
	fails(t, provider(t, o), "the source gave no access key")
	expect(t, "a key of the environment costs no call", c.asked(), nil)
}

// keyFiles writes a key as a Secret is mounted and returns options that read it.
func keyFiles(t *testing.T, c *cloud) (o credentials.Options, dir string) {
	t.Helper()
	dir = t.TempDir()
	o = c.options()
	o.Source = "file"
	o.AccessKeyIDFile = write(t, filepath.Join(dir, "id"), "LTAIbase\n")
	o.AccessKeySecretFile = write(t, filepath.Join(dir, "secret"), "  base+secret/\r\n")
	return o, dir
}

func TestFile(t *testing.T) {
	inBubble := func(name string, test func(w *world, o credentials.Options)) {
		t.Run(name, func(t *testing.T) {
			bubble(t, time.Hour, func(w *world) {
				o, _ := keyFiles(w.T, w.cloud)
				test(w, o)
			})
		})
	}
	inBubble("a rotated key is used within a second", func(w *world, o credentials.Options) {
		w.p = provider(w.T, o)
		w.is("LTAIbase")
		w.keys = map[string][2]string{"LTAInext": {"next", ""}}
		write(w.T, o.AccessKeyIDFile, "LTAInext")
		write(w.T, o.AccessKeySecretFile, "next")
		time.Sleep(time.Second)
		w.is("LTAInext")
	})
	inBubble("the token changes with the key", func(w *world, o credentials.Options) {
		w.keys = map[string][2]string{"STS.a": {"sa", "ta"}, "STS.b": {"sb", "tb"}}
		o.SecurityTokenFile = o.AccessKeyIDFile + ".token"
		for _, key := range []string{"a", "b"} {
			write(w.T, o.AccessKeyIDFile, "STS."+key)
			write(w.T, o.AccessKeySecretFile, "s"+key)
			write(w.T, o.SecurityTokenFile, "t"+key)
			w.p = provider(w.T, o)
			w.is("STS." + key)
		}
	})
	inBubble("a byte order mark", func(w *world, o credentials.Options) {
		write(w.T, o.AccessKeyIDFile, "\ufeffLTAIbase\r\n")
		w.p = provider(w.T, o)
		w.is("LTAIbase")
	})
	inBubble("half a new key is not used", func(w *world, o credentials.Options) {
		w.p = provider(w.T, o)
		w.is("LTAIbase")
		w.keys["LTAInext"] = [2]string{"next", ""}
		write(w.T, o.AccessKeyIDFile, "LTAInext")
		for range 5 {
			time.Sleep(time.Minute)
			w.is("LTAIbase")
		}
		write(w.T, o.AccessKeySecretFile, "next")
		time.Sleep(time.Second)
		w.is("LTAInext")
	})
	inBubble("a mistake in one file is corrected", func(w *world, o credentials.Options) {
		write(w.T, o.AccessKeySecretFile, "wrong")
		w.p = provider(w.T, o)
		if _, err := w.whoami(w.Context(), w.p); err == nil {
			w.Fatal("a wrong secret was accepted")
		}
		w.p.Invalidate()
		write(w.T, o.AccessKeySecretFile, "base+secret/")
		w.is("LTAIbase")
	})
	inBubble("files that vanish or are empty leave the last key", func(w *world, o credentials.Options) {
		w.p = provider(w.T, o)
		w.is("LTAIbase")
		write(w.T, o.AccessKeySecretFile, "")
		time.Sleep(time.Minute)
		w.is("LTAIbase")
		if err := os.Remove(o.AccessKeyIDFile); err != nil {
			w.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.is("LTAIbase")
	})
	for name, test := range map[string]struct{ id, secret, want string }{
		"missing":          {"", "x", "access key id file: does not exist"},
		"empty":            {"x", " \n", "access key secret file: is empty"},
		"two lines":        {"CANARY\nCANARY", "x", "access key id file: holds white space or invisible characters"},
		"JSON":             {"x", `{"secret": "CANARY"}`, "access key secret file: holds white space or invisible characters"},
		"UTF-16":           {"\xff\xfeC\x00A\x00N\x00A\x00R\x00Y\x00", "x", "access key id file: is not UTF-8: it has a byte order mark of UTF-16"},
		"a BOM inside":     {"CAN\ufeffARY", "x", "access key id file: holds white space or invisible characters"},
		"quotes":           {`"CANARY"`, "x", "access key id file: contains quotes; keys never do"},
		"single quotes":    {"x", "'CANARY'", "access key secret file: contains quotes; keys never do"},
		"zero-width space": {"x", "CANARY\u200b", "access key secret file: holds white space or invisible characters"},
		"no text":          {"x", "CANARY\x00", "access key secret file: holds white space or invisible characters"},
		"many words":       {"x", strings.Repeat("CANARY ", 1<<20), "access key secret file: holds white space or invisible characters"},
	} {
		inBubble(name, func(w *world, o credentials.Options) {
			write(w.T, o.AccessKeySecretFile, test.secret)
			if write(w.T, o.AccessKeyIDFile, test.id); test.id == "" {
				_ = os.Remove(o.AccessKeyIDFile)
			}
			w.p = provider(w.T, o)
			w.fails(test.want)
			write(w.T, o.AccessKeyIDFile, "LTAIbase")
			write(w.T, o.AccessKeySecretFile, "base+secret/")
			time.Sleep(time.Second)
			w.is("LTAIbase")
		})
	}
	t.Run("the switch of a mounted Secret", switchedSecret)
	t.Run("a file that hangs", hangingFile)
}

// switchedSecret rotates the key as Kubernetes does, by switching the link ..data
// to another folder, while it is read as fast as can be: no pair is ever mixed.
func switchedSecret(t *testing.T) {
	c := newCloud()
	c.keys = map[string][2]string{}
	dir := t.TempDir()
	rotate := func(n int) {
		folder := fmt.Sprintf("..%d", n)
		write(t, filepath.Join(dir, folder, "id"), fmt.Sprintf("LTAI%d", n))
		write(t, filepath.Join(dir, folder, "secret"), fmt.Sprintf("secret%d", n))
		_ = os.Symlink(folder, filepath.Join(dir, "..part"))
		if err := os.Rename(filepath.Join(dir, "..part"), filepath.Join(dir, "..data")); err != nil {
			t.Error(err)
		}
	}
	const keys = 300
	for n := range keys {
		c.keys[fmt.Sprintf("LTAI%d", n)] = [2]string{fmt.Sprintf("secret%d", n), ""}
	}
	rotate(0)
	for _, name := range []string{"id", "secret"} {
		if err := os.Symlink("..data/"+name, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	o := c.options()
	o.Source, o.AccessKeyIDFile, o.AccessKeySecretFile = "file", filepath.Join(dir, "id"), filepath.Join(dir, "secret")
	p := provider(t, o)
	c.is(t, p, "LTAI0")
	var enough atomic.Bool
	last := make(chan int)
	go func() {
		n := 1
		for ; !enough.Load(); n = (n + 1) % keys {
			rotate(n)
		}
		last <- (n + keys - 1) % keys
	}()
	seen := map[string]bool{}
	for deadline := time.Now().Add(time.Minute); len(seen) < 50 && time.Now().Before(deadline); {
		p.Invalidate() // so that the files are read
		id, err := c.whoami(t.Context(), p)
		if err != nil {
			t.Errorf("after %d keys: %v", len(seen), err)
			break
		}
		seen[id] = true
	}
	enough.Store(true)
	p.Invalidate()
	c.is(t, p, fmt.Sprintf("LTAI%d", <-last))
	if len(seen) < 2 {
		t.Errorf("%d keys were seen, want several", len(seen))
	}
}

// hangingFile reads a pipe that nobody writes to.
func hangingFile(t *testing.T) {
	o, dir := keyFiles(t, newCloud())
	o.AccessKeyIDFile = filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(o.AccessKeyIDFile, 0o600); err != nil {
		t.Fatal(err)
	}
	defer func() { // lets the reader go
		if pipe, err := os.OpenFile(o.AccessKeyIDFile, os.O_RDWR, 0); err == nil {
			time.AfterFunc(time.Second, func() { pipe.Close() })
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	p := provider(t, o)
	for range 3 {
		if _, err := p.Credentials(ctx); fmt.Sprint(err) != "the source has not answered: context deadline exceeded" {
			t.Errorf("got %v, want that the source has not answered", err)
		}
	}
}

func TestOIDC(t *testing.T) {
	c := newCloud()
	o := c.serve(t)
	file := write(t, filepath.Join(t.TempDir(), "token"), "jwt.first-_\n")
	o.Source, o.OIDCRoleARN, o.OIDCProviderARN, o.OIDCTokenFile = "oidc", "acs:ram::1:role/x", "acs:ram::1:oidc-provider/ack", file
	c.is(t, provider(t, o), "STS.1")
	expect(t, "calls", c.asked(), []string{"AssumeRoleWithOIDC acs:ram::1:role/x as session by jwt.first-_ of acs:ram::1:oidc-provider/ack, for 3600 s"})

	t.Run("the token is read at each refresh", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			inProcess := c.options()
			o.Transport, o.STSEndpoint = inProcess.Transport, inProcess.STSEndpoint
			p := provider(t, o)
			c.is(t, p, "STS.2")
			write(t, file, "jwt.second")
			time.Sleep(2 * time.Hour)
			c.is(t, p, "STS.3")
			calls := c.asked()
			if len(calls) != 2 || !strings.Contains(calls[0], " jwt.first-_ ") || !strings.Contains(calls[1], " jwt.second ") {
				t.Errorf("got %q, want one call with each token", calls)
			}
		})
	})
	o.OIDCTokenFile = "/nowhere"
	fails(t, provider(t, o), "OIDC token file: does not exist")
	o.OIDCTokenFile = file
	c.set(func(c *cloud) {
		c.fault = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			reply(w, 400, map[string]any{"Code": "AuthenticationFail.OIDCToken.Invalid", "Message": "CANARY" + r.Form.Get("OIDCToken")})
		})
	})
	o.Transport, o.STSEndpoint = c, "http://sts.invalid"
	fails(t, provider(t, o), "AssumeRoleWithOIDC: answered with status 400 and code AuthenticationFail.OIDCToken.Invalid")
}

func TestURI(t *testing.T) {
	c := newCloud()
	o := c.serve(t)
	o.Source, o.URI = "uri", address(o.STSEndpoint+"/credentials?token=uri-token")
	c.is(t, provider(t, o), "STS.1")
	expect(t, "calls", c.asked(), []string{"GET /credentials"})

	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the redirect was followed, with Referer %q", r.Referer())
	}))
	defer elsewhere.Close()
	c.set(func(c *cloud) { c.fault = http.RedirectHandler(elsewhere.URL+"/?token=CANARY", http.StatusFound) })
	fails(t, provider(t, o), "credentials URI: answered with status 302")
	o.URI = address("http://127.0.0.1:1/?token=CANARY")
	fails(t, provider(t, o), "credentials URI: no answer: dial tcp 127.0.0.1:1: connect: connection refused")
}

func TestECSRAMRole(t *testing.T) {
	c := newCloud()
	o := c.serve(t)
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a proxy was asked for %s", r.URL)
	}))
	defer proxy.Close()
	transport := rpc.NewTransport(1, nil)
	transport.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }
	o.Transport = transport
	o.Source = "ecs_ram_role"
	c.is(t, provider(t, o), "STS.1")
	expect(t, "calls without a name", c.asked(), []string{
		"PUT /latest/api/token", "GET /latest/meta-data/ram/security-credentials/", "GET /latest/meta-data/ram/security-credentials/instance-role",
	})
	o.ECSRoleName = "cas exporter/x"
	c.is(t, provider(t, o), "STS.2")
	expect(t, "calls with a name", c.asked(), []string{"PUT /latest/api/token", "GET /latest/meta-data/ram/security-credentials/cas exporter/x"})

	c.set(func(c *cloud) {
		c.fault = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			fmt.Fprint(w, `{"Code":"Success"}`) // version 1 would answer
		})
	})
	fails(t, provider(t, o), "instance metadata: token: answered with status 404")
	expect(t, "calls without version 2", c.asked(), []string{"PUT /latest/api/token"})
}

func TestAssumeRole(t *testing.T) {
	const role = "acs:ram::1000000000000001:role/cas"
	t.Run("with an external id", func(t *testing.T) {
		c := newCloud()
		o := c.serve(t)
		o.Source, o.Key = "env", rpc.NewCredentials("LTAIbase", "base+secret/", "")
		o.Role = credentials.Role{ARN: role, ExternalID: "ext/1 2"}
		c.is(t, provider(t, o), "STS.1")
		expect(t, "calls", c.asked(), []string{"AssumeRole " + role + ` as session by LTAIbase, external id "ext/1 2", for 3600 s`})
	})
	t.Run("on top of every source", func(t *testing.T) {
		c := newCloud()
		o := c.serve(t)
		o.Role = credentials.Role{ARN: role}
		dir := t.TempDir()
		o.Key = rpc.NewCredentials("LTAIbase", "base+secret/", "")
		o.AccessKeyIDFile, o.AccessKeySecretFile = write(t, dir+"/id", "LTAIbase"), write(t, dir+"/secret", "base+secret/")
		o.OIDCTokenFile = write(t, dir+"/token", "jwt")
		o.URI = address(o.STSEndpoint + "/credentials?token=uri-token")
		o.CLIConfigFile = write(t, dir+"/config.json", `{"current":"x","profiles":[{"name":"x","mode":"AK","access_key_id":"LTAIbase","access_key_secret":"base+secret/"}]}`)
		for _, source := range []string{"env", "file", "oidc", "ecs_ram_role", "uri", "profile"} {
			o.Source = source
			id, err := c.whoami(t.Context(), provider(t, o))
			calls := c.asked()
			if err != nil || id != fmt.Sprintf("STS.%d", c.issued) || !strings.HasPrefix(calls[len(calls)-1], "AssumeRole "+role) {
				t.Errorf("%s: got %q, %v after %q, want the role's", source, id, err, calls)
			}
		}
	})
	t.Run("accounts share the key that they start from", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newCloud()
			o := c.options()
			o.Source, o.URI = "uri", address("http://uri.invalid/credentials?token=uri-token")
			hub := provider(t, o)
			a, b := hub.Assume(credentials.Role{ARN: role + "a"}), hub.Assume(credentials.Role{ARN: role + "b"})
			c.is(t, a, "STS.2")
			c.is(t, b, "STS.3")
			expect(t, "calls", c.asked(), []string{
				"GET /credentials", "AssumeRole " + role + `a as session by STS.1, external id "", for 3600 s`,
				"AssumeRole " + role + `b as session by STS.1, external id "", for 3600 s`,
			})
		})
	})
	t.Run("a rotated key is read again when STS refuses the old one", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newCloud()
			o, _ := keyFiles(t, c)
			o.Role = credentials.Role{ARN: role}
			p := provider(t, o)
			c.is(t, p, "STS.1")
			c.set(func(c *cloud) { c.keys["LTAInext"] = [2]string{"next", ""}; delete(c.keys, "LTAIbase") })
			write(t, o.AccessKeyIDFile, "LTAInext")
			write(t, o.AccessKeySecretFile, "next")
			time.Sleep(56 * time.Minute)
			c.is(t, p, "STS.1") // the refresh is on its way
			synctest.Wait()
			c.is(t, p, "STS.2")
		})
	})
	t.Run("a temporary key that STS refuses is fetched again", func(t *testing.T) {
		bubble(t, 6*time.Hour, func(w *world) {
			w.is("STS.1")
			w.set(func(c *cloud) { c.life = time.Hour })
			p := w.p.Assume(credentials.Role{ARN: role})
			w.cloud.is(w.T, p, "STS.2")
			w.set(func(c *cloud) { delete(c.keys, "STS.1") })
			time.Sleep(56 * time.Minute)
			w.cloud.is(w.T, p, "STS.2") // STS refuses while it still serves
			time.Sleep(10 * time.Second)
			w.cloud.is(w.T, p, "STS.2")
			synctest.Wait()
			w.cloud.is(w.T, p, "STS.4")
		})
	})
	t.Run("a role that may not be assumed costs its base nothing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := newCloud()
			o := c.options()
			o.Source, o.URI = "uri", address("http://uri.invalid/credentials?token=uri-token")
			hub := provider(t, o)
			p := hub.Assume(credentials.Role{ARN: role})
			c.is(t, hub, "STS.1")
			c.asked()
			c.set(func(c *cloud) {
				c.fault = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					reply(w, 403, map[string]any{"Code": "NoPermission", "Message": "not you", "RequestId": "R"})
				})
			})
			for range 3 {
				fails(t, p, "AssumeRole: NoPermission: not you (HTTP 403, request id R)")
				time.Sleep(time.Minute)
			}
			for _, call := range c.asked() {
				if !strings.HasPrefix(call, "AssumeRole ") {
					t.Errorf("%s was asked", call)
				}
			}
		})
	})
}

func TestSTSAddress(t *testing.T) {
	for _, test := range []struct {
		region string
		vpc    bool
		want   string
	}{
		{"", false, "sts.aliyuncs.com"},
		{"", true, "sts.aliyuncs.com"},
		{"ap-southeast-1", false, "sts.ap-southeast-1.aliyuncs.com"},
		{"cn-hangzhou", true, "sts-vpc.cn-hangzhou.aliyuncs.com"},
	} {
		var host string
		o := credentials.Options{
			Source: "env", Key: rpc.NewCredentials("a", "b", ""), Role: credentials.Role{ARN: "x"}, STSRegion: test.region, STSVPC: test.vpc,
			Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				host = r.URL.Scheme + "://" + r.URL.Host
				return nil, http.ErrServerClosed
			}),
		}
		_, _ = provider(t, o).Credentials(t.Context())
		if host != "https://"+test.want {
			t.Errorf("region %q, VPC %v: got %s, want https://%s", test.region, test.vpc, host, test.want)
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
