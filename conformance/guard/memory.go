package guard

import "os"

// memory is a file system in memory.
const memory = "/dev/shm"

// Memory makes a directory in memory, which the test removes, or the guard.
func Memory() (string, error) { return os.MkdirTemp(memory, Name()) }
