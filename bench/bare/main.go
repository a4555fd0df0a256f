// Command bare requests the pages of a job, several at once, and discards the answers.
// It is a sweep that reads, counts and serves nothing. Its time beyond the limit belongs
// to the machine and the simulator.
package main

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	api := flag.String("api", "", "address of the API")
	key := flag.String("key", "", "access key id")
	secret := flag.String("secret", "", "access key secret")
	job := flag.String("job", "1", "the job to read")
	pages := flag.Int64("pages", 1, "pages of the job")
	concurrency := flag.Int("concurrency", 1, "requests on their way at once")
	flag.Parse()
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: *concurrency, MaxIdleConnsPerHost: *concurrency, ForceAttemptHTTP2: true}}
	var last atomic.Int64
	var all sync.WaitGroup
	for range *concurrency {
		all.Go(func() {
			for n := last.Add(1); n <= *pages; n = last.Add(1) {
				if err := ask(client, *api+"/?"+signed(*key, *secret, *job, n)); err != nil {
					log.Fatal(err)
				}
			}
		})
	}
	all.Wait()
}

func ask(client *http.Client, address string) error {
	resp, err := client.Post(address, "", http.NoBody)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the API answers %s", resp.Status)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// signed returns the query of one page, signed by HMAC-SHA1.
func signed(key, secret, job string, page int64) string {
	query := url.Values{
		"AccessKeyId": {key}, "Action": {"ListWorkerResource"}, "CurrentPage": {strconv.FormatInt(page, 10)}, "Format": {"JSON"}, "JobId": {job},
		"ShowSize": {"50"}, "SignatureMethod": {"HMAC-SHA1"}, "SignatureNonce": {fmt.Sprint(time.Now().UnixNano(), "-", page)},
		"SignatureVersion": {"1.0"}, "Timestamp": {time.Now().UTC().Format("2006-01-02T15:04:05Z")}, "Version": {"2020-04-07"},
	}.Encode()
	mac := hmac.New(sha1.New, []byte(secret+"&"))
	_, _ = io.WriteString(mac, "POST&%2F&"+strings.ReplaceAll(url.QueryEscape(query), "+", "%20"))
	return query + "&Signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}
