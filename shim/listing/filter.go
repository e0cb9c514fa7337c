package listing

import (
	"fmt"
	"slices"
	"strings"
)

// Filters are what --filter says: values by key. Values of one key are
// alternatives, but for labels; all keys must hold.
type Filters map[string][]string

// ParseFilters reads KEY=VALUE, of the keys that there are.
func ParseFilters(list []string, keys ...string) (Filters, error) {
	f := Filters{}
	for _, text := range list {
		key, value, ok := strings.Cut(text, "=")
		key = strings.ToLower(strings.TrimSpace(key))
		switch {
		case !ok:
			return nil, fmt.Errorf("--filter %q: it is KEY=VALUE", text)
		case !slices.Contains(keys, key):
			return nil, fmt.Errorf("--filter %q: there is no filter %q [there are %s]", text, key, strings.Join(keys, ", "))
		}
		f[key] = append(f[key], strings.TrimSpace(value))
	}
	return f, nil
}

// Any tells whether a key was not given, or holds for one of its values.
func (f Filters) Any(key string, holds func(value string) bool) bool {
	return len(f[key]) == 0 || slices.ContainsFunc(f[key], holds)
}

// Labels tells whether labels have all that were asked for: "NAME" or "NAME=VALUE".
func (f Filters) Labels(labels map[string]string) bool {
	for _, want := range f["label"] {
		name, value, exact := strings.Cut(want, "=")
		got, has := labels[name]
		if !has || exact && got != value {
			return false
		}
	}
	return true
}

// Bool is the value of a key that is true or false; given is false without it.
func (f Filters) Bool(key string) (value, given bool, err error) {
	for _, text := range f[key] {
		switch strings.ToLower(text) {
		case "true", "1", "t":
			value = true
		case "false", "0", "f":
			value = false
		default:
			return false, false, fmt.Errorf("--filter \"%s=%s\": it is true or false", key, text)
		}
		given = true
	}
	return value, given, nil
}
