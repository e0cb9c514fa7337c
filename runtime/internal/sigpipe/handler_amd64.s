#include "textflag.h"

// func handlers() (handler, restorer uintptr)
TEXT ·handlers(SB), NOSPLIT, $0-16
	LEAQ ·handle(SB), AX
	MOVQ AX, handler+0(FP)
	LEAQ ·restore(SB), AX
	MOVQ AX, restorer+8(FP)
	RET

// write(writeEnd, &number, 1), with the number from the kernel in DI.
TEXT ·handle(SB), NOSPLIT|NOFRAME, $0
	PUSHQ DI
	MOVQ  SP, SI
	MOVL  ·writeEnd(SB), DI
	MOVL  $1, DX
	MOVL  $1, AX
	SYSCALL
	POPQ  DI
	RET

// rt_sigreturn()
TEXT ·restore(SB), NOSPLIT|NOFRAME, $0
	MOVL $15, AX
	SYSCALL
	INT  $3
