package app_test

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestCheckConfigOpensFiles: a key file that cannot be used is named, never what it
// holds.
func TestCheckConfigOpensFiles(t *testing.T) {
	const variable, good, path = "CAS_ACCESS_KEY_ID_FILE", "good", "key"
	// Another user reads here, but cannot walk down to here.
	t.Chdir(t.TempDir())
	if err := os.Chmod(".", 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(path, text string) {
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chmod(path, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	write(good, "LTAI\n")
	text := func(text string) func() { return func() { write(path, text) } }
	for name, c := range map[string]struct {
		make    func()
		problem string // empty for none
	}{
		"a word":            {text("CANARY\r\n"), ""},
		"a byte order mark": {text("\ufeffCANARY\n"), ""}, // which is skipped
		"UTF-16":            {text("\xff\xfeC\x00A\x00N\x00A\x00R\x00Y\x00"), "is not UTF-8: it has a byte order mark of UTF-16"},
		"UTF-16, big end":   {text("\xfe\xff\x00C\x00A\x00N"), "is not UTF-8: it has a byte order mark of UTF-16"},
		"empty":             {text("\n"), "is empty"},
		"two words":         {text("CANARY CANARY"), "holds white space or invisible characters"},
		"quotes":            {text(`"CANARY"`), "contains quotes; keys never do"},
		"a directory":       {func() { _ = os.Mkdir(path, 0o700) }, "is a directory"},
		"a pipe":            {func() { _ = syscall.Mkfifo(path, 0o600) }, ""}, // nobody writes: it would wait for ever
		"missing":           {func() {}, ""},
		"not ours":          {func() { write(path, "CANARY"); _ = os.Chmod(path, 0) }, "cannot be read: permission denied"},
	} {
		t.Run(name, func(t *testing.T) {
			_ = os.Remove(path)
			c.make()
			if name == "not ours" {
				nobody(t)
			}
			environment(t, "https://cas.aliyuncs.com", map[string]string{
				"CAS_CREDENTIALS": "file", variable: path, "CAS_ACCESS_KEY_SECRET_FILE": good,
			})
			status, stdout, stderr := program(t.Context(), "--check-config")
			wantStatus, want := exitOK, ""
			if c.problem != "" {
				wantStatus, want = exitSettings, variable+": "+path+": "+c.problem+"\n"
			}
			if status != wantStatus || stderr != want {
				t.Errorf("status %d, said %q; want %d, %q", status, stderr, wantStatus, want)
			}
			if missing := strings.Contains(stdout, "# warning: "+variable+": the file cannot be read so far: no such file or directory\n"); missing != (name == "missing") {
				t.Errorf("the warning of a missing file: %v\n%s", missing, stdout)
			}
			nothingPrivate(t, name, stdout+stderr)
		})
	}
}

// nobody makes root, who may read everything, another user until the test ends.
func nobody(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	if err := syscall.Setreuid(-1, 65534); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setreuid(-1, 0); err != nil {
			panic(err) // the tests after this one would be nobody's
		}
	})
}

// TestCheckConfigOpensTokens: of RRSA too.
func TestCheckConfigOpensTokens(t *testing.T) {
	dir := t.TempDir()
	environment(t, "https://cas.aliyuncs.com", map[string]string{
		"CAS_CREDENTIALS": "oidc", "ALIBABA_CLOUD_ROLE_ARN": "acs:ram::1:role/x", "ALIBABA_CLOUD_OIDC_PROVIDER_ARN": "acs:ram::1:oidc-provider/x",
		"ALIBABA_CLOUD_OIDC_TOKEN_FILE": dir,
	})
	status, _, stderr := program(t.Context(), "--check-config")
	if want := "ALIBABA_CLOUD_OIDC_TOKEN_FILE: " + dir + ": is a directory\n"; status != exitSettings || stderr != want {
		t.Errorf("status %d, said %q; want %d, %q", status, stderr, exitSettings, want)
	}
}
