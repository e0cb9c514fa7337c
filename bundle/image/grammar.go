package image

import (
	"errors"
	"fmt"
	"strings"
)

// Docker Hub's host, what it was, and where its own images are.
const (
	defaultHost  = "docker.io"
	formerHost   = "index.docker.io"
	ownImages    = "library/"
	longestPath  = 255
	longestTag   = 128
	identifierAt = 64 // so many hexadecimal digits are an ID, and no name
)

// errFormat has Docker's words.
var errFormat = errors.New("invalid reference format")

// splitName finds the parts of a name, "" for those that it does not have. It takes
// what github.com/distribution/reference takes, without its regular expressions,
// which took longer to compile than a container needs to start.
func splitName(s string) (repository, tag, digest string, err error) {
	if len(s) == identifierAt && all(s, isHex) {
		return "", "", "", fmt.Errorf("invalid repository name (%s), cannot specify 64-byte hexadecimal strings", s)
	}
	host, rest := splitHost(s)
	rest, digest, hasDigest := strings.Cut(rest, "@")
	path, tag, hasTag := strings.Cut(rest, ":")
	if strings.ToLower(path) != path {
		return "", "", "", fmt.Errorf("%w: repository name (%s) must be lowercase", errFormat, path)
	}
	if hasDigest && digest == "" || hasTag && !isTag(tag) || !isPath(path) || !isHost(host) && !isComponent(host) {
		return "", "", "", errFormat
	}
	repository = host + "/" + path
	if !isHost(host) {
		path = repository
	}
	if len(path) > longestPath {
		return "", "", "", fmt.Errorf("repository name must not be more than %d characters", longestPath)
	}
	return repository, tag, digest, nil
}

// splitHost finds the host, Docker's where there is none: what comes before the
// first slash is one if it looks like one.
func splitHost(s string) (host, rest string) {
	first, after, found := strings.Cut(s, "/")
	switch {
	case !found:
		return defaultHost, ownImages + s
	case first == formerHost, first == defaultHost:
		host, rest = defaultHost, after
	case first == "localhost", strings.ContainsAny(first, ".:"), strings.ToLower(first) != first:
		return first, after
	default:
		host, rest = defaultHost, s
	}
	if !strings.Contains(rest, "/") {
		rest = ownImages + rest
	}
	return host, rest
}

// isHost tells whether a text is a host: names with dots, or an IPv6 address in
// brackets, and perhaps a port.
func isHost(s string) bool {
	if end := strings.LastIndexByte(s, ':'); end > strings.LastIndexByte(s, ']') {
		if port := s[end+1:]; port == "" || !all(port, isDigit) {
			return false
		}
		s = s[:end]
	}
	if inside, ok := strings.CutPrefix(s, "["); ok {
		inside, ok = strings.CutSuffix(inside, "]")
		return ok && inside != "" && all(inside, func(c byte) bool { return isHex(lower(c)) || c == ':' })
	}
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || part[0] == '-' || part[len(part)-1] == '-' || !all(part, func(c byte) bool { return isLetterOrDigit(lower(c)) || c == '-' }) {
			return false
		}
	}
	return true
}

// isPath tells whether a text is a repository's name in its registry.
func isPath(s string) bool {
	for part := range strings.SplitSeq(s, "/") {
		if !isComponent(part) {
			return false
		}
	}
	return true
}

// isComponent tells whether a text is lower-case letters and digits, with a dot, one
// or two underscores or some dashes between them.
func isComponent(s string) bool {
	for {
		n := 0
		for n < len(s) && isLetterOrDigit(s[n]) {
			n++
		}
		if n == 0 || n == len(s) {
			return n > 0
		}
		s = s[n:]
		switch dashes := len(s) - len(strings.TrimLeft(s, "-")); {
		case dashes > 0:
			s = s[dashes:]
		case strings.HasPrefix(s, "__"):
			s = s[2:]
		case s[0] == '.' || s[0] == '_':
			s = s[1:]
		default:
			return false
		}
	}
}

func isTag(s string) bool {
	return s != "" && len(s) <= longestTag && s[0] != '.' && s[0] != '-' &&
		all(s, func(c byte) bool { return isLetterOrDigit(lower(c)) || c == '_' || c == '.' || c == '-' })
}

func all(s string, is func(byte) bool) bool {
	for i := range len(s) {
		if !is(s[i]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool         { return '0' <= c && c <= '9' }
func isHex(c byte) bool           { return isDigit(c) || 'a' <= c && c <= 'f' }
func isLetterOrDigit(c byte) bool { return isDigit(c) || 'a' <= c && c <= 'z' }

// lower is a letter's lower case; other bytes stay.
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
