package plan

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Value is one argument of a step: a number, a string, a list of strings or
// bytes, as the operation's signature says.
type Value struct {
	Int   int64
	Str   string
	List  []string
	Bytes []byte
}

// Step is one operation with its arguments. Doing says in words what it is
// for and begins an error message, such as "mounting proc at /proc".
type Step struct {
	Op    Op
	Args  []Value
	Doing string
}

func num[T ~int | ~int64 | ~uint32 | ~uint64 | ~uint | ~int32](n T) Value {
	return Value{Int: int64(n)}
}
func str(s string) Value    { return Value{Str: s} }
func list(l []string) Value { return Value{List: l} }
func raw(b []byte) Value    { return Value{Bytes: b} }

// truth is 1 for true.
func truth(b bool) Value {
	if b {
		return num(1)
	}
	return num(0)
}

// String is the step as one line of `davit plan`.
func (s Step) String() string {
	var b strings.Builder
	def := &definitions[s.Op]
	b.WriteString(def.name)
	for i, kind := range def.signature {
		if text := s.Args[i].text(kind); text != "" {
			fmt.Fprintf(&b, " %s=%s", def.args[i], text)
		}
	}
	return b.String()
}

// text is the argument in words; "" for one that says nothing.
func (v Value) text(kind rune) string {
	switch kind {
	case kindHex:
		if v.Int == 0 {
			return ""
		}
		return fmt.Sprintf("%#x", uint64(v.Int))
	case kindOct:
		return fmt.Sprintf("%#o", v.Int)
	case kindInt:
		return fmt.Sprint(v.Int)
	case kindFD:
		return fmt.Sprintf("file:%d", v.Int)
	case kindStr:
		return quoted(v.Str)
	case kindList:
		return listText(v.List)
	default:
		return fmt.Sprintf("%d bytes", len(v.Bytes))
	}
}

func listText(l []string) string {
	if len(l) == 0 {
		return ""
	}
	words := make([]string, len(l))
	for i, s := range l {
		words[i] = fmt.Sprintf("%q", s)
	}
	return "[" + strings.Join(words, " ") + "]"
}

// quoted adds quotes where a word would otherwise be unclear.
func quoted(s string) string {
	if s == "" || !strings.ContainsAny(s, " \t\n\"\\=") {
		return s
	}
	return fmt.Sprintf("%q", s)
}

// MarshalJSON gives an object with the operation, what it is for, and the
// arguments by name.
func (s Step) MarshalJSON() ([]byte, error) {
	def := &definitions[s.Op]
	m := map[string]any{"op": def.name, "doing": s.Doing}
	for i, kind := range def.signature {
		m[def.args[i]] = s.Args[i].json(kind)
	}
	return json.Marshal(m)
}

func (v Value) json(kind rune) any {
	switch kind {
	case kindStr:
		return v.Str
	case kindList:
		return v.List
	case kindBytes:
		return v.Bytes
	default:
		return v.Int
	}
}
