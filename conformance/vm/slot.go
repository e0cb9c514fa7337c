package vm

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// slots is how many guests may run at once from one cache: each takes two
// processors' time and, at worst, 3 GB of memory.
const slots = 2

// takeSlot waits until a guest may run, and returns what ends its turn.
func takeSlot(cache string) (release func(), err error) {
	files := make([]*os.File, slots)
	for i := range files {
		name := filepath.Join(cache, fmt.Sprintf("guest%d.lock", i))
		if files[i], err = os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644); err != nil {
			return nil, err
		}
	}
	chosen := os.Getpid() % slots
	for i, file := range files {
		if unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			chosen = i
			break
		}
	}
	for i, file := range files {
		if i != chosen {
			file.Close()
		}
	}
	if err := unix.Flock(int(files[chosen].Fd()), unix.LOCK_EX); err != nil {
		return nil, fmt.Errorf("waiting for another guest's end: %w", err)
	}
	return func() { files[chosen].Close() }, nil
}
