package sys

import "golang.org/x/sys/unix"

// Retry calls f until it fails with something else than EINTR, or succeeds.
func Retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

// RetryValue is [Retry] for a call that returns a value.
func RetryValue[T any](f func() (T, error)) (T, error) {
	for {
		v, err := f()
		if err != unix.EINTR {
			return v, err
		}
	}
}
