// Package needs says what a test needs of the machine. A test that lacks it is
// skipped, with the name of what is missing; where the machine has it and it
// does not work, the test fails, so that no skip hides a fault.
//
// Tests of every folder use it: it knows the machine, and nothing of ours. It
// is not for programs, which say themselves what they lack.
package needs
