package keeper

import (
	"os"

	"golang.org/x/sys/unix"
)

// Memory is a file in memory that the keeper holds under a key: the one that the
// supervisor before this one had, or a new one, empty. Whoever follows finds in it
// what was written, at whatever moment this process is killed, and its offset.
func (k *Keeper) Memory(key string) (*os.File, error) {
	if k != nil && k.Kept[key] != nil {
		return k.Kept[key], nil
	}
	return k.NewMemory(key)
}

// NewMemory is a new one, in place of one that has the key.
func (k *Keeper) NewMemory(key string) (*os.File, error) {
	fd, err := unix.MemfdCreate(key, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), key)
	if err := k.Keep(key, f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
