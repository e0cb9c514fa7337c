package needs

import "testing"

func TestBoundingSet(t *testing.T) {
	got, err := boundingSet("Name:\ta\nCapEff:\t0000000000000001\nCapBnd:\t000001fffeffffff\nCapAmb:\t0000000000000000\n")
	if err != nil || got != 0x1fffeffffff {
		t.Errorf("got %x, %v", got, err)
	}
	if got, err := boundingSet("Name:\ta\n"); err == nil {
		t.Errorf("a status without the set gave %x", got)
	}
}
