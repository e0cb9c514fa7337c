package ttrpc

import (
	"errors"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/davit-containers/davit/shim/keeper"
)

// kept is what the keeper has of a connection, so that it outlives a server that is
// killed, and the peer notices nothing. What comes goes through a pipe to a file in
// memory, and what is sent from another one to the socket, each by one system call:
// at every moment a byte is in one place, and the next server finds it.
type kept struct {
	keeper *keeper.Keeper
	key    string // that of the socket, and the beginning of the others
	fd     int    // the socket
	pipe   [2]*os.File
	in     *os.File // whole calls, and what has come of the next one
	out    *os.File // answers; its offset is how much has been sent
	inSize int64
	read   int64 // of in, by this process
	outEnd int64

	calls map[uint32][]byte // that have no answer, as they came
}

// The names of what is kept, behind the connection's key.
const (
	connKey   = "conn."
	pipeInKey = ".write"
	pipeOuKey = ".read"
	inKey     = ".in"
	outKey    = ".out"
)

// largeLog is how much the files in memory hold before they are made anew, in bytes.
const largeLog = 64 << 10

// chunk is how much is taken from a socket in one go, in bytes.
const chunk = 64 << 10

// keep hands a connection to the keeper.
func keep(k *keeper.Keeper, key string, socket *os.File) (c *kept, err error) {
	c = &kept{keeper: k, key: key, fd: int(socket.Fd()), calls: map[uint32][]byte{}}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, os.NewSyscallError("pipe2", err)
	}
	c.pipe = [2]*os.File{os.NewFile(uintptr(pipe[0]), "pipe"), os.NewFile(uintptr(pipe[1]), "pipe")}
	for name, f := range map[string]*os.File{pipeOuKey: c.pipe[0], pipeInKey: c.pipe[1]} {
		if err == nil {
			err = k.Keep(key+name, f)
		}
	}
	if err == nil {
		c.in, err = k.NewMemory(key + inKey)
	}
	if err == nil {
		c.out, err = k.NewMemory(key + outKey)
	}
	if err == nil { // the last one: with it the connection is whole
		err = k.Keep(key, socket)
	}
	if err != nil {
		c.drop()
		return nil, err
	}
	return c, nil
}

// resume takes up what a keeper has of a connection.
func resume(k *keeper.Keeper, key string) (c *kept, err error) {
	c = &kept{keeper: k, key: key, fd: int(k.Kept[key].Fd()), calls: map[uint32][]byte{}}
	c.pipe = [2]*os.File{k.Kept[key+pipeOuKey], k.Kept[key+pipeInKey]}
	c.in, c.out = k.Kept[key+inKey], k.Kept[key+outKey]
	if c.pipe[0] == nil || c.pipe[1] == nil || c.in == nil || c.out == nil {
		return nil, errors.New("a connection is kept by half")
	}
	if c.inSize, err = fileSize(c.in); err != nil {
		return nil, err
	}
	if c.outEnd, err = fileSize(c.out); err != nil {
		return nil, err
	}
	if c.outEnd == 0 { // it was being emptied
		if _, err := unix.Seek(int(c.out.Fd()), 0, io.SeekStart); err != nil {
			return nil, err
		}
	}
	return c, c.empty()
}

func fileSize(f *os.File) (int64, error) {
	var st unix.Stat_t
	err := unix.Fstat(int(f.Fd()), &st)
	return st.Size, err
}

// unfinished are the calls that were made and not answered, as they came, and the
// beginning of one that has not come whole.
func (c *kept) unfinished() (calls [][]byte, begun []byte, err error) {
	in, err := all(c.in, c.inSize)
	if err != nil {
		return nil, nil, err
	}
	out, err := all(c.out, c.outEnd)
	if err != nil {
		return nil, nil, err
	}
	answered := map[uint32]bool{}
	for _, f := range frames(&out) {
		answered[parseHeader(f).stream] = true
	}
	for _, f := range frames(&in) {
		if !answered[parseHeader(f).stream] {
			calls = append(calls, f)
		}
	}
	// An answer that is there by half has not been sent, and is made again.
	c.outEnd -= int64(len(out))
	return calls, in, unix.Ftruncate(int(c.out.Fd()), c.outEnd)
}

func all(f *os.File, size int64) ([]byte, error) {
	data := make([]byte, size)
	_, err := f.ReadAt(data, 0)
	return data, err
}

// frames takes the whole frames of what is there.
func frames(data *[]byte) (list [][]byte) {
	for len(*data) >= headerSize {
		size := headerSize + int(parseHeader(*data).length)
		if len(*data) < size {
			break
		}
		list = append(list, (*data)[:size])
		*data = (*data)[size:]
	}
	return list
}

// receive takes what has come. EAGAIN: nothing has. io.EOF: nothing will.
func (c *kept) receive() ([]byte, error) {
	n, err := unix.Splice(c.fd, nil, int(c.pipe[1].Fd()), nil, chunk, unix.SPLICE_F_NONBLOCK)
	if err == nil && n == 0 {
		err = io.EOF
	}
	// What was left there comes first, also where nothing has come.
	if moved := c.empty(); moved != nil {
		return nil, moved
	}
	data := make([]byte, c.inSize-c.read)
	if len(data) == 0 {
		return nil, err
	}
	if _, err := c.in.ReadAt(data, c.read); err != nil {
		return nil, err
	}
	c.read = c.inSize
	return data, nil
}

// empty moves what is in the pipe to the file.
func (c *kept) empty() error {
	for {
		n, err := unix.Splice(int(c.pipe[0].Fd()), nil, int(c.in.Fd()), &c.inSize, chunk, unix.SPLICE_F_NONBLOCK)
		switch {
		case err == unix.EAGAIN:
			return nil
		case err == unix.EINTR:
		case err != nil:
			return os.NewSyscallError("splice", err)
		case n == 0:
			return nil
		}
	}
}

// add appends an answer to those that are to be sent.
func (c *kept) add(data []byte) error {
	_, err := c.out.WriteAt(data, c.outEnd)
	c.outEnd += int64(len(data))
	return err
}

// waiting is how much is to be sent, in bytes.
func (c *kept) waiting() int64 {
	sent, _ := unix.Seek(int(c.out.Fd()), 0, io.SeekCurrent) // of a file in memory: it cannot fail
	return c.outEnd - sent
}

// send sends some of it. EAGAIN: the peer does not read.
func (c *kept) send() error {
	_, err := unix.Sendfile(c.fd, int(c.out.Fd()), nil, int(c.waiting()))
	return err
}

// shorten makes the files anew when they are large; begun has come of the next call,
// or calls.
func (c *kept) shorten(begun []byte) error {
	if c.inSize < largeLog && c.outEnd < largeLog {
		return nil
	}
	return c.rewrite(slices.Collect(maps.Values(c.calls)), begun)
}

// rewrite leaves the calls that have no answer, and what has come of the next one.
// First those: an answer without a call is nothing, but a call without its answer
// would be made again.
func (c *kept) rewrite(calls [][]byte, begun []byte) error {
	data := slices.Concat(append(calls, begun)...)
	in, err := unkept(data)
	if err != nil {
		return err
	}
	if err := c.keeper.Keep(c.key+inKey, in); err != nil {
		in.Close()
		return err
	}
	c.in.Close()
	c.in, c.inSize, c.read = in, int64(len(data)), int64(len(data))
	if c.waiting() > 0 {
		return nil
	}
	if err := unix.Ftruncate(int(c.out.Fd()), 0); err != nil {
		return os.NewSyscallError("ftruncate", err)
	}
	c.outEnd = 0
	_, err = unix.Seek(int(c.out.Fd()), 0, io.SeekStart)
	return err
}

// unkept is a file in memory with what it is to have.
func unkept(data []byte) (*os.File, error) {
	f, err := (*keeper.Keeper)(nil).NewMemory("conn")
	if err != nil {
		return nil, err
	}
	if _, err := f.WriteAt(data, 0); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// drop lets go of everything but the socket itself.
func (c *kept) drop() {
	for _, name := range []string{"", pipeInKey, pipeOuKey, inKey, outKey} {
		c.keeper.Drop(c.key + name)
	}
	for _, f := range []*os.File{c.pipe[0], c.pipe[1], c.in, c.out} {
		if f != nil {
			f.Close()
		}
	}
}

// isConn tells whether a keeper's key is that of a connection's socket.
func isConn(key string) bool {
	number, found := strings.CutPrefix(key, connKey)
	return found && !strings.Contains(number, ".")
}
