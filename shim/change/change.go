package change

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Apply changes a configuration as an instruction says: `CMD ["sh"]`.
// Source: https://docs.docker.com/reference/dockerfile/
func Apply(c *v1.Config, instruction string) error {
	text := strings.TrimSpace(instruction)
	word, rest := text, ""
	if i := strings.IndexFunc(text, unicode.IsSpace); i >= 0 {
		word, rest = text[:i], strings.TrimSpace(text[i:])
	}
	if err := apply(c, strings.ToUpper(word), rest); err != nil {
		return fmt.Errorf("change %q: %w", instruction, err)
	}
	return nil
}

func apply(c *v1.Config, word, rest string) error {
	if rest == "" && word != "CMD" && word != "ENTRYPOINT" {
		return errors.New("it has nothing to set")
	}
	switch word {
	case "CMD":
		c.Cmd = command(c, rest)
	case "ENTRYPOINT":
		c.Entrypoint = command(c, rest)
	case "ENV":
		return environment(c, rest)
	case "EXPOSE":
		return expose(c, rest)
	case "LABEL":
		return labels(c, rest)
	case "ONBUILD":
		c.OnBuild = append(c.OnBuild, rest)
	case "SHELL":
		return json.Unmarshal([]byte(rest), &c.Shell)
	case "STOPSIGNAL":
		c.StopSignal = rest
	case "USER":
		c.User = rest
	case "VOLUME":
		volumes(c, rest)
	case "WORKDIR":
		c.WorkingDir = path.Join("/", c.WorkingDir, rest)
		if path.IsAbs(rest) {
			c.WorkingDir = path.Clean(rest)
		}
	default:
		return errors.New("it is none of CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, SHELL, STOPSIGNAL, USER, VOLUME and WORKDIR")
	}
	return nil
}

// command is a JSON array of words, or a line for the shell.
func command(c *v1.Config, rest string) []string {
	var list []string
	if json.Unmarshal([]byte(rest), &list) == nil {
		return list
	}
	if rest == "" {
		return nil
	}
	if len(c.Shell) > 0 {
		return append(append([]string{}, c.Shell...), rest)
	}
	return []string{"/bin/sh", "-c", rest}
}

// environment is NAME=VALUE..., or, of old, NAME VALUE.
func environment(c *v1.Config, rest string) error {
	pairs, err := pairs(rest)
	if err != nil {
		return err
	}
	for _, p := range pairs {
		set(c, p[0], p[1])
	}
	return nil
}

// set sets a variable in its place, or as the last.
func set(c *v1.Config, name, value string) {
	for i, entry := range c.Env {
		if has, _, _ := strings.Cut(entry, "="); has == name {
			c.Env[i] = name + "=" + value
			return
		}
	}
	c.Env = append(c.Env, name+"="+value)
}

// labels are NAME=VALUE....
func labels(c *v1.Config, rest string) error {
	pairs, err := pairs(rest)
	if err != nil {
		return err
	}
	if c.Labels == nil {
		c.Labels = map[string]string{}
	}
	for _, p := range pairs {
		c.Labels[p[0]] = p[1]
	}
	return nil
}

// expose are ports, with /tcp where they say nothing else.
func expose(c *v1.Config, rest string) error {
	if c.ExposedPorts == nil {
		c.ExposedPorts = map[string]struct{}{}
	}
	for port := range strings.FieldsSeq(rest) {
		number, protocol, given := strings.Cut(port, "/")
		if !given {
			protocol = "tcp"
		}
		if strings.Trim(number, "0123456789-") != "" || number == "" {
			return fmt.Errorf("%q is no port", port)
		}
		c.ExposedPorts[number+"/"+protocol] = struct{}{}
	}
	return nil
}

// volumes are a JSON array of directories, or words.
func volumes(c *v1.Config, rest string) {
	var list []string
	if json.Unmarshal([]byte(rest), &list) != nil {
		list = strings.Fields(rest)
	}
	if c.Volumes == nil {
		c.Volumes = map[string]struct{}{}
	}
	for _, dir := range list {
		c.Volumes[dir] = struct{}{}
	}
}

// pairs are the names and values of a line.
func pairs(rest string) ([][2]string, error) {
	words, err := words(rest)
	if err != nil {
		return nil, err
	}
	if !strings.Contains(words[0], "=") { // of old: NAME VALUE
		name, value, ok := strings.Cut(rest, " ")
		if !ok {
			return nil, errors.New("it is NAME=VALUE")
		}
		return [][2]string{{name, strings.TrimSpace(value)}}, nil
	}
	var list [][2]string
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%q is not NAME=VALUE", w)
		}
		list = append(list, [2]string{name, value})
	}
	return list, nil
}

// words splits a line at white space that is neither quoted nor behind a
// backslash.
func words(line string) ([]string, error) {
	var list []string
	var word strings.Builder
	var quote rune
	escaped, inside := false, false
	for _, r := range line {
		switch {
		case escaped:
			if quote == '"' && r != '"' && r != '\\' {
				word.WriteByte('\\')
			}
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, inside = true, true
		case r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, inside = r, true
		case quote == 0 && unicode.IsSpace(r):
			if inside {
				list = append(list, word.String())
			}
			word.Reset()
			inside = false
		default:
			word.WriteRune(r)
			inside = true
		}
	}
	if quote != 0 || escaped {
		return nil, errors.New("a quotation does not end")
	}
	if inside {
		list = append(list, word.String())
	}
	return list, nil
}
