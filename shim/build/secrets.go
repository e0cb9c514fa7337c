package build

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// Secret is where a secret comes from: a file, or a variable of this process's
// environment.
type Secret struct{ File, Env string }

// maxSecret is how long a secret may be, in bytes.
// Compat(buildkit): 500 KiB.
const maxSecret = 500 << 10

// errNoSecret is a secret that was not given.
var errNoSecret = errors.New("no such secret was given [--secret id=ID,src=FILE]")

// secret reads a secret.
func (b *builder) secret(id string) ([]byte, error) {
	s, given := b.o.Secrets[id]
	if !given {
		return nil, fmt.Errorf("secret %s: %w", id, errNoSecret)
	}
	if s.Env != "" {
		value, set := os.LookupEnv(s.Env)
		if !set {
			return nil, fmt.Errorf("secret %s: the variable %s is not set", id, s.Env)
		}
		return []byte(value), nil
	}
	f, err := os.Open(s.File)
	if err != nil {
		return nil, fmt.Errorf("secret %s: %w", id, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err == nil && len(data) > maxSecret {
		err = fmt.Errorf("it has more than %d bytes", maxSecret)
	}
	if err != nil {
		return nil, fmt.Errorf("secret %s: %w", id, err)
	}
	return data, nil
}
