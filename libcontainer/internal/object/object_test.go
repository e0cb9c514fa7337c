package object

import (
	"encoding/json"
	"reflect"
	"testing"
)

// fields has one of every kind.
type fields struct {
	Text   string            `json:"text"`
	Number uint64            `json:"number"`
	Flag   bool              `json:"flag,omitempty"`
	Texts  map[string]string `json:"texts,omitempty"`
	List   []string          `json:"list,omitempty"`
}

func (f *fields) write() []byte {
	w := NewWriter()
	w.Text("text", f.Text)
	w.Number("number", f.Number)
	w.Flag("flag", f.Flag)
	w.Texts("texts", f.Texts)
	w.List("list", f.List)
	return w.Close()
}

func (f *fields) read(data []byte) error {
	r := NewReader(data)
	return r.Object(func(key string) error {
		switch key {
		case "text":
			return r.Text(&f.Text)
		case "number":
			return r.Number(&f.Number)
		case "flag":
			return r.Flag(&f.Flag)
		case "texts":
			return r.Texts(&f.Texts)
		case "list":
			return r.List(&f.List)
		}
		return r.Raw(new([]byte))
	})
}

// What is written is read as it was, here and by encoding/json.
func TestRoundTrip(t *testing.T) {
	for _, want := range []fields{
		{},
		{Text: "a\n\"\\é", Number: 1<<64 - 1, Flag: true},
		{Texts: map[string]string{"": "x", "b": ""}, List: []string{"", "y"}},
	} {
		data := want.write()
		var got, other fields
		if err := got.read(data); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v", data, got, err)
		}
		if err := json.Unmarshal(data, &other); err != nil || !reflect.DeepEqual(other, want) {
			t.Errorf("%s: encoding/json got %+v, %v", data, other, err)
		}
	}
}

func TestEmpty(t *testing.T) {
	if got := string(NewWriter().Close()); got != "{}" {
		t.Errorf("got %s", got)
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{`{"list":["a" , "b"],"more":{"x":[1,"]"]}}`, `{"list":["a"`, `{"list":[,]}`, `{"texts":{"a":"b"}}`, `{"text":"\ud83d\ude00"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got, again fields
		if got.read(data) != nil {
			return
		}
		if err := again.read(got.write()); err != nil || got.Text != again.Text || len(got.List) != len(again.List) {
			t.Errorf("%q: got %+v, then %+v, %v", data, got, again, err)
		}
	})
}
