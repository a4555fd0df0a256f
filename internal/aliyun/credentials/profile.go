package credentials

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"aliyun_cas_exporter/internal/aliyun/rpc"
)

// profile reads a profile of Alibaba's command line or, if it has none of that
// name, of the credentials file that its SDKs share, and asks the source that it
// names. It is read at every fetch, so a changed profile is used once the old
// credentials expire or are refused. Errors repeat nothing of the files.
type profile struct{ options Options }

// found is the source that a profile names, and what to say of it.
type found struct {
	source
	mode string // such as ChainableRamRoleArn on AK
	sts  string // the address of STS, empty if it is not called
}

// entry is a profile as both files can write it, without white space around values.
type entry struct {
	name, mode                        string
	keyID, keySecret, token           string
	role, session, external           string
	stsRegion, stsEndpoint            string
	stsVPC                            bool
	ecsRole, source, uri              string
	oidcProvider, oidcToken           string
	keyPair, command, cloudSSO, oauth string // of modes that are not supported
	bearer                            string
	fieldNames                        map[string]string // of the file, where they are not the command line's
}

// recognise names the mode of a profile without one, as the command line does.
func (e *entry) recognise() string {
	switch {
	case e.mode != "":
		known := slices.IndexFunc(modes(), func(mode string) bool { return strings.EqualFold(mode, e.mode) })
		if known < 0 {
			return e.mode
		}
		return modes()[known]
	case e.keyID != "" && e.keySecret != "" && e.token != "":
		return "StsToken"
	case e.keyID != "" && e.keySecret != "" && e.role != "":
		return "RamRoleArn"
	case e.keyID != "" && e.keySecret != "":
		return "AK"
	case e.keyPair != "":
		return "RsaKeyPair"
	case e.ecsRole != "":
		return "EcsRamRole"
	case e.command != "":
		return "External"
	case e.oidcProvider != "" && e.oidcToken != "":
		return "OIDC"
	case e.source != "":
		return "ChainableRamRoleArn"
	case e.uri != "":
		return "CredentialsURI"
	case e.cloudSSO != "":
		return "CloudSSO"
	case e.oauth != "":
		return "OAuth"
	case e.bearer != "":
		return "BearerToken"
	}
	return ""
}

// modes are those that can be used.
func modes() []string {
	return []string{"AK", "StsToken", "RamRoleArn", "ChainableRamRoleArn", "EcsRamRole", "RamRoleArnWithRoleName", "OIDC", "CredentialsURI"}
}

// unsupported returns why a documented mode is not supported.
func unsupported(mode string) string {
	return map[string]string{
		"cloudsso":    "CloudSSO is not supported: a person signs in with a browser, and the command line keeps the session",
		"oauth":       "OAuth is not supported: a person signs in with a browser, and the command line keeps the session",
		"external":    "External is not supported: the exporter starts no other program",
		"rsakeypair":  "RsaKeyPair is not supported: Alibaba Cloud has deprecated it",
		"bearertoken": "BearerToken is not supported: CAS takes access keys only",
		"anonymous":   "Anonymous is not supported: CAS takes access keys only",
	}[strings.ToLower(mode)]
}

// resolve returns the source of a profile; find returns the profile that a chain
// starts from, and depth bounds the chain.
func (p *profile) resolve(e *entry, find func(name string) *entry, depth int) (found, error) {
	mode := e.recognise()
	switch why := unsupported(mode); {
	case why != "":
		return found{}, errors.New("its mode " + why)
	case mode == "":
		return found{}, errors.New("it has no mode, and its fields do not show one")
	case !slices.Contains(modes(), mode):
		return found{}, errors.New("its mode is not one of " + strings.Join(modes(), ", "))
	}
	if err := e.complete(mode); err != nil {
		return found{}, err
	}
	if mode != "ChainableRamRoleArn" {
		return p.direct(e, mode)
	}
	base := find(e.source)
	switch {
	case base == nil:
		return found{}, errors.New("its source profile does not exist")
	case depth == 0:
		return found{}, errors.New("its chain of source profiles has no end")
	}
	from, err := p.resolve(base, find, depth-1)
	if err != nil {
		return found{}, err
	}
	return p.assume(from, e, mode+" on "+from.mode)
}

// complete checks that the fields of a mode are there, and look like what they are.
func (e *entry) complete(mode string) error {
	key := [][2]string{{"access_key_id", e.keyID}, {"access_key_secret", e.keySecret}}
	role := [2]string{"ram_role_arn", e.role}
	for _, field := range map[string][][2]string{
		"AK": key, "StsToken": append(key, [2]string{"sts_token", e.token}), "RamRoleArn": append(key, role),
		"ChainableRamRoleArn": {{"source_profile", e.source}, role}, "RamRoleArnWithRoleName": {role},
		"OIDC":           {role, {"oidc_provider_arn", e.oidcProvider}, {"oidc_token_file", e.oidcToken}},
		"CredentialsURI": {{"credentials_uri", e.uri}},
	}[mode] {
		name, value := field[0], field[1]
		if other := e.fieldNames[name]; other != "" {
			name = other
		}
		switch {
		case value == "":
			return fmt.Errorf("its %s is empty", name)
		case !strings.HasPrefix(name, "oidc_token_file") && name != "source_profile" && !isWord(value):
			return fmt.Errorf("its %s holds white space or invisible characters", name)
		case slices.Contains([]string{"access_key_id", "access_key_secret", "sts_token"}, field[0]) && hasQuotes(value):
			return fmt.Errorf("its %s contains quotes; keys never do", name)
		}
	}
	return nil
}

func (p *profile) direct(e *entry, mode string) (found, error) {
	o := &p.options
	key := found{source: static{rpc.NewCredentials(e.keyID, e.keySecret, e.token)}, mode: mode}
	switch mode {
	case "RamRoleArn":
		return p.assume(key, e, mode)
	case "EcsRamRole":
		return found{source: o.metadata(e.ecsRole), mode: mode}, nil
	case "RamRoleArnWithRoleName":
		return p.assume(found{source: o.metadata(e.ecsRole)}, e, mode)
	case "OIDC":
		sts, err := p.sts(e)
		return found{oidc{o.web(), sts, e.role, e.oidcProvider, e.oidcToken, p.session(e)}, mode, sts}, err
	case "CredentialsURI":
		address, err := url.Parse(e.uri)
		if err != nil || address.Hostname() == "" || address.Scheme != "https" && address.Scheme != "http" {
			return found{}, errors.New("its credentials_uri is not an http:// or https:// address")
		}
		if address.Scheme == "http" && !nearby(address.Hostname()) {
			mode += " over http://, by which the keys travel in clear text"
		}
		return found{source: uri{o.web(), func() string { return e.uri }}, mode: mode}, nil
	case "AK": // a token is left over from another mode
		key.source = static{rpc.NewCredentials(e.keyID, e.keySecret, "")}
	}
	return key, nil
}

// nearby reports whether what is sent to a host in clear text stays on this machine or
// its link.
func nearby(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && (ip.IsLoopback() || ip.IsLinkLocalUnicast())
}

func (p *profile) assume(from found, e *entry, mode string) (found, error) {
	sts, err := p.sts(e)
	base := &Provider{base: p.options, source: from.source}
	return found{p.options.assume(base, Role{e.role, e.external}, sts, p.session(e)), mode, sts}, err
}

// sts returns the address of STS for a profile. A region is a part of a host's name:
// with a slash in it the key or the OIDC token would go to another host.
func (p *profile) sts(e *entry) (string, error) {
	if e.stsEndpoint != "" {
		host := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(e.stsEndpoint, "https://"), "http://"), "/")
		name, _, err := net.SplitHostPort(host)
		if err != nil {
			name = host
		}
		if !regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?(:[0-9]{1,5})?$`).MatchString(host) {
			return "", errors.New("its sts_endpoint is not a host such as sts.cn-hangzhou.aliyuncs.com")
		}
		if ip := net.ParseIP(name); ip != nil && ip.IsLoopback() && strings.HasPrefix(e.stsEndpoint, "http://") {
			return "http://" + host, nil
		}
		return "https://" + host, nil // as the command line, whatever the scheme
	}
	if !regexp.MustCompile(`^[a-z0-9-]*$`).MatchString(e.stsRegion) {
		return "", errors.New("its sts_region is not a region such as cn-hangzhou")
	}
	return p.options.sts(cmp.Or(e.stsRegion, p.options.STSRegion), p.options.STSVPC || e.stsVPC), nil
}

func (p *profile) session(e *entry) string { return cmp.Or(e.session, p.options.SessionName) }
