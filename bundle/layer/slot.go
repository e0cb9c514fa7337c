package layer

import "golang.org/x/sys/unix"

// maxOpen is how many directories an unpacker keeps open. More than a few must
// be, since several are in use at once.
const maxOpen = 128

// slot is a directory that may be open.
type slot struct {
	fd         int
	open       bool
	prev, next *slot
}

// cache are open directories, of which those that were not used for longest are
// closed. A descriptor is good until maxOpen others were asked for.
type cache struct {
	recent slot // of the ring: next is the latest, prev the oldest
	count  int
}

func newCache() *cache {
	c := &cache{}
	c.recent.prev, c.recent.next = &c.recent, &c.recent
	return c
}

// get is the slot's descriptor, or what open opens.
func (c *cache) get(s *slot, open func() (int, error)) (int, error) {
	if s.open {
		c.unlink(s)
		c.push(s)
		return s.fd, nil
	}
	fd, err := open()
	if err != nil {
		return -1, err
	}
	c.put(s, fd)
	return fd, nil
}

// put makes an open descriptor the slot's.
func (c *cache) put(s *slot, fd int) {
	if c.count == maxOpen {
		c.drop(c.recent.prev)
	}
	s.fd, s.open = fd, true
	c.count++
	c.push(s)
}

// drop closes a slot, as must be done when its directory is replaced.
func (c *cache) drop(s *slot) {
	if s.open {
		c.unlink(s)
		c.count--
		unix.Close(s.fd)
		s.open = false
	}
}

func (c *cache) dropAll() {
	for c.count > 0 {
		c.drop(c.recent.next)
	}
}

func (c *cache) push(s *slot) {
	s.prev, s.next = &c.recent, c.recent.next
	s.prev.next, s.next.prev = s, s
}

func (c *cache) unlink(s *slot) {
	s.prev.next, s.next.prev = s.next, s.prev
	s.prev, s.next = nil, nil
}

// openBeneath opens a directory below another, whose path may be longer than
// what one call takes. No link is followed on the way.
// Linux 5.6: openat2(2).
func openBeneath(dir int, path []byte) (int, error) {
	const chunk = 4000
	at := dir
	for {
		part, rest := path, []byte(nil)
		if len(path) > chunk {
			end := lastSlash(path[:chunk])
			part, rest = path[:end], path[end+1:]
		}
		fd, err := unix.Openat2(at, string(part), &unix.OpenHow{
			Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC,
			Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
		})
		if at != dir {
			unix.Close(at)
		}
		if err != nil || rest == nil {
			return fd, err
		}
		at, path = fd, rest
	}
}

// lastSlash is where the last slash of a path is that has one in each 256 bytes.
func lastSlash(path []byte) int {
	i := len(path) - 1
	for path[i] != '/' {
		i--
	}
	return i
}
