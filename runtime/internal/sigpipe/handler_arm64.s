#include "textflag.h"

// func handlers() (handler, restorer uintptr)
TEXT ·handlers(SB), NOSPLIT, $0-16
	MOVD $·handle(SB), R0
	MOVD R0, handler+0(FP)
	MOVD $·restore(SB), R0
	MOVD R0, restorer+8(FP)
	RET

// write(writeEnd, &number, 1), with the number from the kernel in R0.
TEXT ·handle(SB), NOSPLIT|NOFRAME, $0
	SUB  $16, RSP
	MOVD R0, (RSP)
	MOVW ·writeEnd(SB), R0
	MOVD RSP, R1
	MOVD $1, R2
	MOVD $64, R8
	SVC  $0
	ADD  $16, RSP
	RET

// rt_sigreturn()
TEXT ·restore(SB), NOSPLIT|NOFRAME, $0
	MOVD $139, R8
	SVC  $0
	BRK  $0
