package main

import "testing"

func TestNear(t *testing.T) {
	commands := []string{"run", "rm", "rmi", "ps", "pull", "push", "images", "inspect", "container", "rename", "restart"}
	for _, tt := range []struct{ written, want string }{
		{"rnu", "run"}, {"runn", "run"}, {"contaner", "container"}, {"contianer", "container"}, {"img", ""},
		{"imag", "images"}, {"pus", "push"}, {"pll", "pull"}, {"inspekt", "inspect"}, {"x", ""}, {"", ""}, {"compose", ""}, {"ren", "rename"}, {"rena", "rename"},
	} {
		if got := near(tt.written, commands); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.written, got, tt.want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"ab", "ba", 1}, {"rnu", "run", 1}, {"kitten", "sitting", 3}, {"abc", "abc", 0}} {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("%q, %q: got %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
