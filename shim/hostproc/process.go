package hostproc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is what is known of one.
type process struct {
	pid     int
	uid     uint32
	comm    string
	fields  []string // of /proc/PID/stat, from the third on
	cmdline string
	now     time.Time
	uptime  time.Duration
}

// columns are what can be told, by name.
var columns = map[string]func(*process) string{
	"uid":  func(p *process) string { return name(p.uid) },
	"user": func(p *process) string { return name(p.uid) },
	"pid":  func(p *process) string { return strconv.Itoa(p.pid) },
	"ppid": func(p *process) string { return p.field(4) },
	"pgid": func(p *process) string { return p.field(5) },
	"sid":  func(p *process) string { return p.field(6) },
	"s":    func(p *process) string { return p.field(3) },
	"nice": func(p *process) string { return p.field(19) },
	"c":    (*process).busy, "stime": (*process).started, "tty": (*process).tty, "time": (*process).time,
	"etime": (*process).elapsed, "rss": (*process).rss, "vsz": (*process).vsz,
	"comm": func(p *process) string { return p.comm },
	"cmd":  func(p *process) string { return p.cmdline },
	"args": func(p *process) string { return p.cmdline },
}

// Columns are what can be told of a process: ps's names.
func Columns() []string {
	var names []string
	for name := range columns {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Read tells of a process what the columns are for. fs.ErrNotExist, or
// os.ErrProcessDone: it has ended.
func Read(pid int, names []string) ([]string, error) {
	p, err := read(pid)
	if err != nil {
		return nil, err
	}
	var row []string
	for _, name := range names {
		column := columns[name]
		if column == nil {
			return nil, fmt.Errorf("there is no column %q", name)
		}
		row = append(row, column(p))
	}
	return row, nil
}

func read(pid int) (*process, error) {
	dir := "/proc/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(dir + "/stat")
	if errors.Is(err, syscall.ESRCH) {
		err = os.ErrProcessDone
	}
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	p := &process{pid: pid, uid: info.Sys().(*syscall.Stat_t).Uid, now: time.Now(), uptime: uptime()}
	if err := p.parse(string(stat)); err != nil {
		return nil, fmt.Errorf("reading %s/stat: %w", dir, err)
	}
	// A process that has no memory any more has no arguments.
	args := arguments(dir + "/cmdline")
	p.cmdline = printable(string(bytes.ReplaceAll(bytes.TrimRight(args, "\x00"), []byte{0}, []byte{' '})))
	if p.cmdline == "" {
		p.cmdline = "[" + p.comm + "]"
	}
	return p, nil
}

// maxArguments is how much is read of a process's arguments, which may be megabytes.
const maxArguments = 32 << 10

func arguments(path string) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	data, _ := io.ReadAll(io.LimitReader(f, maxArguments))
	return data
}

// parse takes /proc/PID/stat apart. The name may have any characters.
func (p *process) parse(stat string) error {
	begin, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if begin < 0 || end < begin {
		return errors.New("unexpected format")
	}
	p.comm, p.fields = printable(stat[begin+1:end]), strings.Fields(stat[end+1:])
	const last = 24
	if len(p.fields) < last-2 {
		return errors.New("unexpected format")
	}
	return nil
}

// field is one of /proc/PID/stat, by its number in proc(5).
func (p *process) field(n int) string { return p.fields[n-3] }

func (p *process) number(n int) int64 {
	v, _ := strconv.ParseInt(p.field(n), 10, 64)
	return v
}

// ticks are a second's, in which /proc counts on every architecture of Linux.
const ticks = 100

func (p *process) cpu() time.Duration {
	return time.Duration(p.number(14)+p.number(15)) * time.Second / ticks
}

// age is how long the process has been there.
func (p *process) age() time.Duration {
	return max(0, p.uptime-time.Duration(p.number(22))*time.Second/ticks)
}

// busy is how much of a processor it used while it was there, in percent.
func (p *process) busy() string {
	if p.age() < time.Second {
		return "0"
	}
	return strconv.FormatInt(int64(100*p.cpu()/p.age()), 10)
}

// started is the time of day, or the day.
func (p *process) started() string {
	at := p.now.Add(-p.age())
	if p.age() < 24*time.Hour && at.Day() == p.now.Day() {
		return at.Format("15:04")
	}
	return at.Format("Jan02")
}

// tty is the name of the process's terminal, which is one of the container's.
func (p *process) tty() string {
	device := p.number(7)
	major, minor := device>>8&0xfff, device&0xff|device>>12&0xfff00
	const ptsMajor, ttyMajor = 136, 4
	switch {
	case device == 0:
		return "?"
	case major >= ptsMajor && major < ptsMajor+8:
		return fmt.Sprintf("pts/%d", minor+(major-ptsMajor)<<8)
	case major == ttyMajor:
		return fmt.Sprintf("tty%d", minor)
	}
	return fmt.Sprintf("%d:%d", major, minor)
}

func (p *process) time() string { return clock(p.cpu()) }

func clock(d time.Duration) string {
	s := int64(d / time.Second)
	return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60)
}

func (p *process) elapsed() string {
	days := int64(p.age() / (24 * time.Hour))
	text := clock(p.age() % (24 * time.Hour))
	if days > 0 {
		return fmt.Sprintf("%d-%s", days, text)
	}
	return strings.TrimPrefix(text, "00:")
}

// rss and vsz are in KiB.
func (p *process) rss() string {
	return strconv.FormatInt(p.number(24)*int64(os.Getpagesize())>>10, 10)
}
func (p *process) vsz() string { return strconv.FormatInt(p.number(23)>>10, 10) }

// name is a user's on the host, or the number.
func name(uid uint32) string {
	number := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(number); err == nil {
		return u.Username
	}
	return number
}

// uptime is how long ago the machine was started.
func uptime() time.Duration {
	data, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0
	}
	text, _, _ := strings.Cut(string(data), " ")
	seconds, _ := strconv.ParseFloat(text, 64)
	return time.Duration(seconds * float64(time.Second))
}

// printable is a text that moves no terminal's cursor.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}
