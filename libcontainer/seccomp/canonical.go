package seccomp

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"unicode/utf8"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Format is the version of the canonical form and of what is compiled from
// it. It changes whenever the same profile would give another filter.
const Format = 1

// MaxCanonical bounds a canonical profile, in bytes.
const MaxCanonical = 1 << 20

// Document is what a canonical profile decodes to, with encoding/json.
type Document struct {
	Format       int                 `json:"format"`
	Native       specs.Arch          `json:"native"`
	UnknownNames string              `json:"unknownNames"`
	Seccomp      *specs.LinuxSeccomp `json:"seccomp"`
}

// Canonical writes a profile as JSON in which everything that shapes the
// filter stands explicitly and in one way: defaults filled in, architectures
// and flags sorted, the listener's path and metadata left out. Profiles with
// the same canonical form have the same filter. It is written by hand because
// it is written at every start of a container.
func Canonical(p *specs.LinuxSeccomp, unknown UnknownNames) []byte {
	w := writer{make([]byte, 0, 16<<10)}
	w.field(`{"format":`, Format)
	w.text(`,"native":`, string(NativeArch()))
	w.text(`,"unknownNames":`, unknown.String())
	w.text(`,"seccomp":{"defaultAction":`, string(p.DefaultAction))
	w.errno(`,"defaultErrnoRet":`, p.DefaultAction, p.DefaultErrnoRet)
	writeList(&w, `,"architectures":[`, FilterArchs(p))
	writeList(&w, `],"flags":[`, sortedFlags(p))
	w.raw(`],"syscalls":[`)
	for i := range p.Syscalls {
		w.comma(i)
		w.rule(&p.Syscalls[i])
	}
	w.raw("]}}")
	return w.buf
}

// KeyOf is the key of a canonical profile: its SHA-256, in hexadecimal.
func KeyOf(canonical []byte) string {
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:])
}

// Key identifies the filter of a profile in which unknown names are skipped:
// 64 hexadecimal digits.
func Key(p *specs.LinuxSeccomp) string {
	return KeyOf(Canonical(p, SkipUnknownNames))
}

// sortedFlags are the flags that will be used, each once.
func sortedFlags(p *specs.LinuxSeccomp) []specs.LinuxSeccompFlag {
	flags := slices.Clone(explicitFlags(p))
	slices.Sort(flags)
	return slices.Compact(flags)
}

// writer writes JSON.
type writer struct{ buf []byte }

func (w *writer) raw(text string) { w.buf = append(w.buf, text...) }

func (w *writer) comma(index int) {
	if index > 0 {
		w.buf = append(w.buf, ',')
	}
}

// field writes a number after its name.
func (w *writer) field(name string, value uint64) {
	w.raw(name)
	w.buf = strconv.AppendUint(w.buf, value, 10)
}

// text writes a string after its name.
func (w *writer) text(name, value string) {
	w.raw(name)
	w.str(value)
}

// errno writes the errno that an action carries, or the one that was given to
// an action that carries none, so that a fault never shares a key with a
// sound profile.
func (w *writer) errno(name string, action specs.LinuxSeccompAction, ret *uint) {
	if ret != nil || takesErrno(action) {
		w.field(name, uint64(errnoOr(ret, uint(unix.EPERM))))
	}
}

// rule writes one entry of syscalls.
func (w *writer) rule(rule *specs.LinuxSyscall) {
	writeList(w, `{"names":[`, rule.Names)
	w.text(`],"action":`, string(rule.Action))
	w.errno(`,"errnoRet":`, rule.Action, rule.ErrnoRet)
	if len(rule.Args) > 0 {
		w.raw(`,"args":[`)
		for i, arg := range rule.Args {
			w.comma(i)
			w.field(`{"index":`, uint64(arg.Index))
			w.field(`,"value":`, arg.Value)
			w.field(`,"valueTwo":`, arg.ValueTwo)
			w.text(`,"op":`, string(arg.Op))
			w.raw("}")
		}
		w.raw("]")
	}
	w.raw("}")
}

// str writes a string. Names are plain, and copied whole.
func (w *writer) str(s string) {
	w.buf = append(w.buf, '"')
	n := plainPrefix(s)
	w.raw(s[:n])
	for n < len(s) {
		r, size := utf8.DecodeRuneInString(s[n:])
		w.escape(r)
		n += size
	}
	w.buf = append(w.buf, '"')
}

// plainPrefix is how many bytes of a string JSON takes as they are.
func plainPrefix(s string) int {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return i
		}
	}
	return len(s)
}

// escape writes a character, in hexadecimal where JSON may not hold it as it is.
func (w *writer) escape(r rune) {
	if r >= ' ' && r != '"' && r != '\\' {
		w.buf = utf8.AppendRune(w.buf, r)
		return
	}
	const digits = "0123456789abcdef"
	w.buf = append(w.buf, '\\', 'u', '0', '0', digits[r>>4], digits[r&15])
}

// writeList writes the elements of a list of strings.
func writeList[S ~string](w *writer, name string, list []S) {
	w.raw(name)
	for i, element := range list {
		w.comma(i)
		w.str(string(element))
	}
}
