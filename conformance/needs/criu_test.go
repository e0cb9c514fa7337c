package needs

import "testing"

func TestUnknownToCRIU(t *testing.T) {
	const ended = "Error (criu/util.c:631): exited, status=1\n"
	const vdso = "Error (criu/vdso.c:95): vdso: Unexpected rt vDSO area bounds"
	if got := unknownToCRIU("Looks good.\n" + ended + vdso + "\n"); got != vdso {
		t.Errorf("got %q", got)
	}
	if got := unknownToCRIU(ended); got != "" {
		t.Errorf("got %q", got)
	}
}
