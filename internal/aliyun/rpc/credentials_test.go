package rpc_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"aliyun_cas_exporter/internal/aliyun/rpc"
	"aliyun_cas_exporter/internal/reason"
)

// longToken is as long as those of STS: longer than what an error takes over.
var longToken = "CAIS" + strings.Repeat("CANARY/t0ken+", 90) + "=="

// canaryOther is a secret that a call sends beside its credentials.
const canaryOther = "CANARY-external/id+="

// TestUnexportedFieldsHideCredentials formats structs whose fields fmt may not
// call methods of.
func TestUnexportedFieldsHideCredentials(t *testing.T) {
	type inner struct{ cred rpc.Credentials }
	type outer struct {
		inner inner
		list  []rpc.Credentials
		table map[string]inner
	}
	cred := rpc.NewCredentials(canaryID, canarySecret, canaryToken)
	o := outer{inner{cred}, []rpc.Credentials{cred}, map[string]inner{"x": {cred}}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		leaks(t, verb, fmt.Sprintf(verb, o))
		leaks(t, verb+" of a pointer", fmt.Sprintf(verb, &o))
	}
}

// TestEchoesAreHidden lets a server repeat what it was sent, in every place that an
// error takes a text from, in every spelling.
func TestEchoesAreHidden(t *testing.T) {
	spellings := map[string]func(string) string{
		"as it is":         func(s string) string { return s },
		"escaped":          url.QueryEscape,
		"in a path":        url.PathEscape,
		"in lower case":    lowerEscapes,
		"invisibly parted": func(s string) string { return strings.Join(strings.Split(s, ""), "\u200b") },
		"parted and escaped": func(s string) string {
			return strings.ReplaceAll(url.QueryEscape(s), "%", "\u2066%\u00ad")
		},
		"after a stray %": func(s string) string { return "100%" + url.QueryEscape(s) },
		"in JSON":         func(s string) string { return `{"key":"` + s + `"}` },
		"cut off":         func(s string) string { return s[:len(s)*2/3] },
		"its end":         func(s string) string { return s[len(s)/3:] },
		"behind Chinese":  func(s string) string { return "密钥" + s + "不存在" },
		"between lines":   func(s string) string { return "a\n" + s + "\r\nb" },
	}
	secrets := map[string]string{"id": canaryID, "secret": canarySecret, "token": longToken, "another": canaryOther}
	places := map[string]func(w http.ResponseWriter, text string){
		"message": func(w http.ResponseWriter, text string) { answer(w, 400, "Invalid", text, "R") },
		"code":    func(w http.ResponseWriter, text string) { answer(w, 403, text, "m", "R") },
		"request": func(w http.ResponseWriter, text string) { answer(w, 500, "InternalError", "m", text) },
		"page":    func(w http.ResponseWriter, text string) { w.WriteHeader(502); fmt.Fprint(w, "<p>", text) },
		"redirect": func(w http.ResponseWriter, text string) {
			w.Header().Set("Location", "http://elsewhere.example/?x="+url.QueryEscape(text))
			w.WriteHeader(302)
		},
		"decoder's error":         func(w http.ResponseWriter, text string) { fmt.Fprintf(w, "undocumented: %s", text) },
		"refusal with status 200": func(w http.ResponseWriter, text string) { answer(w, 200, "Throttling", text, text) },
	}
	var text string
	var place func(http.ResponseWriter, string)
	endpoint := serve(t, func(w http.ResponseWriter, _ *http.Request) { place(w, text) })
	for where, put := range places {
		for how, spell := range spellings {
			for what, secret := range secrets {
				place, text = put, spell(secret)
				err := callWith(t, endpoint, refusalOf200)
				if err == nil {
					t.Fatalf("%s: no error", where)
				}
				leaks(t, fmt.Sprintf("%s, %s, %s", where, what, how), fmt.Sprintf("%v %+v %#v %q", err, err, err, err))
				if strings.ContainsAny(err.Error(), "\n\r") {
					t.Errorf("%s, %s, %s: more than one line: %q", where, what, how, err)
				}
			}
		}
	}
}

// lowerEscapes escapes with small letters.
func lowerEscapes(s string) string {
	return strings.NewReplacer("%2B", "%2b", "%2F", "%2f", "%3D", "%3d").Replace(url.QueryEscape(s))
}

func answer(w http.ResponseWriter, status int, code, message, requestID string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"Code": code, "Message": message, "RequestId": requestID})
}

// refusalOf200 decodes as package cas does.
func refusalOf200(body io.Reader) error {
	var a struct{ Code, Message, RequestID string }
	text, err := io.ReadAll(body)
	if err == nil && json.Unmarshal(text, &a) != nil {
		err = reason.Errorf(reason.Decode, "%s", text) // no decoder should
	}
	if err != nil {
		return err
	}
	return rpc.Refused(200, a.Code, a.Message, a.RequestID)
}

// TestWhatStaysReadable has texts that a mask would only spoil.
func TestWhatStaysReadable(t *testing.T) {
	for said, want := range map[string]string{
		"Request was denied due to user flow control.":         "Invalid: Request was denied due to user flow control. (HTTP 400, request id R)",
		"The job 8888 does not exist: 100% sure.":              "Invalid: The job 8888 does not exist: 100% sure. (HTTP 400, request id R)",
		"Specified access key " + canaryID + " is not found.":  "Invalid: Specified access key [hidden] is not found. (HTTP 400, request id R)",
		"See https://help.example/a?x=1 about SignatureNonce.": "Invalid: See https://help.example/a?... about SignatureNonce. (HTTP 400, request id R)",
	} {
		endpoint := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 400, "Invalid", said, "R") })
		if got := callWith(t, endpoint, discard).Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestRawEchoes lets a server repeat the request where net/http reads no further.
func TestRawEchoes(t *testing.T) {
	for name, reply := range map[string]string{
		"status line": "HTTP/1.1 %s\r\n\r\n", "no HTTP": "%s\r\n\r\n", "header": "HTTP/1.1 200 OK\r\n%s\r\n\r\n",
		"length": "HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n", "encoding": "HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			listener := listen(t)
			go func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					request := make([]byte, 64<<10)
					n, _ := conn.Read(request)
					line, _, _ := strings.Cut(string(request[:n]), "\r\n")
					fmt.Fprintf(conn, reply, line)
					conn.Close()
				}
			}()
			err := callWith(t, "http://"+listener.Addr().String(), discard)
			if err == nil {
				t.Fatal("no error")
			}
			leaks(t, name, fmt.Sprintf("%v %+v %#v", err, err, err))
		})
	}
}

// TestProxyPasswordsAreHidden meets proxies that fail in every way, and repeat what
// they were sent where net/http reads.
func TestProxyPasswordsAreHidden(t *testing.T) {
	refuse := func(reply string) string {
		listener := listen(t)
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				request := make([]byte, 64<<10)
				n, _ := conn.Read(request)
				_, sent, _ := strings.Cut(string(request[:n]), "Proxy-Authorization: ")
				sent, _, _ = strings.Cut(sent, "\r\n")
				plain, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(sent, "Basic "))
				fmt.Fprint(conn, strings.NewReplacer("SENT", sent, "PLAIN", string(plain)).Replace(reply))
				conn.Close()
			}
		}()
		return "http://user:CANARY@" + listener.Addr().String()
	}
	for name, test := range map[string]struct{ address, want string }{
		"nothing listens":    {"http://user:CANARY@127.0.0.1:1", "proxyconnect tcp: dial tcp 127.0.0.1:1: connect: connection refused"},
		"socks, no listener": {"socks5://user:CANARY@127.0.0.1:1", "proxyconnect tcp: dial tcp 127.0.0.1:1: connect: connection refused"},
		"407":                {refuse("HTTP/1.1 407 no PLAIN SENT\r\n\r\n"), "the proxy refused the connection with status 407 Proxy Authentication Required"},
		"403":                {refuse("HTTP/1.1 403 PLAIN\r\nContent-Type: text/html\r\n\r\n<html>SENT"), "the proxy refused the connection with status 403 Forbidden"},
		"502":                {refuse("HTTP/1.1 502 SENT\r\n\r\n"), "the proxy refused the connection with status 502 Bad Gateway"},
		"redirect":           {refuse("HTTP/1.1 302 x\r\nLocation: http://PLAIN/\r\n\r\n"), "the proxy refused the connection with status 302 Found"},
		"unknown status":     {refuse("HTTP/1.1 699 PLAIN\r\n\r\n"), "the proxy refused the connection with status 699 "},
		"another success":    {refuse("HTTP/1.1 204 PLAIN\r\n\r\n"), "the proxy refused the connection with status 204 No Content"},
		"status alone":       {refuse("HTTP/1.1 407\r\n\r\n"), "the proxy refused the connection with status 407 Proxy Authentication Required"},
		"malformed header":   {refuse("HTTP/1.1 407 x\r\nProxy-Authorization SENT PLAIN\r\n\r\n"), "the answer is not valid HTTP"},
		"malformed name":     {refuse("HTTP/1.1 200 x\r\nSENT SENT: x\r\n\r\n"), "the answer is not valid HTTP"},
		"malformed version":  {refuse("HTTP/PLAIN 407 x\r\n\r\n"), "the answer is not valid HTTP"},
		"malformed status":   {refuse("HTTP/1.1 PLAIN\r\n\r\n"), "the answer is not valid HTTP"},
		"no HTTP":            {refuse("PLAIN SENT\r\n"), "the answer is not valid HTTP"},
		"nothing":            {refuse(""), "the connection was closed before the end of the answer"},
	} {
		t.Run(name, func(t *testing.T) {
			proxy := func(*http.Request) (*url.URL, error) { return url.Parse(test.address) }
			for _, endpoint := range []string{"https://cas.invalid", "http://cas.invalid"} {
				err := callBy(t, endpoint, proxy, discard)
				leaks(t, endpoint, fmt.Sprintf("%v %+v %#v", err, err, err)+strings.ReplaceAll(fmt.Sprint(err), "dXNlcjpDQU5BUlk", "CANARY"))
				if endpoint == "https://cas.invalid" && (fmt.Sprint(err) != strings.TrimSpace(test.want) || reason.Of(err) != reason.Network) {
					t.Errorf("got %s, %v; want network, %s", reason.Of(err), err, test.want)
				}
			}
		})
	}
}

func serve(t *testing.T, handler http.HandlerFunc) (endpoint string) {
	t.Helper()
	listener := listen(t)
	server := &http.Server{Handler: handler}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return "http://" + listener.Addr().String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}

func callWith(t *testing.T, endpoint string, decode func(io.Reader) error) error {
	t.Helper()
	return callBy(t, endpoint, nil, decode)
}

func callBy(t *testing.T, endpoint string, proxy func(*http.Request) (*url.URL, error), decode func(io.Reader) error) error {
	t.Helper()
	transport := rpc.NewTransport(1, proxy)
	defer transport.CloseIdleConnections()
	client, err := rpc.New(rpc.Options{
		Endpoint: endpoint, Version: "2020-04-07", RegionID: "cn-hangzhou", Transport: transport, Timeout: time.Minute, UserAgent: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Call(t.Context(), rpc.NewCredentials(canaryID, canarySecret, longToken).Hiding(canaryOther), "ListWorkerResource", nil, decode)
	if err != nil && reason.Of(err) == "" {
		t.Errorf("%v has no reason", err)
	}
	return err
}
