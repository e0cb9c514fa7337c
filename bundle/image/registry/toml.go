package registry

import (
	"fmt"
	"io"
	"os"

	"github.com/pelletier/go-toml/v2"
)

// maxFile bounds the files of settings that are read, in bytes.
const maxFile = 1 << 20

// readTOML reads a file into v, and returns its text. Keys that are not known are
// other programs'.
func readTOML(path string, v any) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(raw) > maxFile {
		err = fmt.Errorf("it has more than %d bytes", maxFile)
	}
	if err == nil {
		err = toml.Unmarshal(raw, v)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, oneLine(err))
	}
	return raw, nil
}
