// The first process of a container that was made with --init: it runs the program
// that its arguments name, passes on every signal that comes, reaps whatever
// becomes its child, and ends as the program does.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

// Exit statuses of a program that is not run, as shells have them.
enum { CANNOT = 126, NO_SUCH = 127, SIGNALED = 128 };

// run becomes the program, in a process group of its own, which gets the terminal
// where there is one: job control works in a shell then.
static void run(char **argv, const sigset_t *mask)
{
	setpgid(0, 0);
	signal(SIGTTOU, SIG_IGN); // by the next line, from the background
	tcsetpgrp(STDIN_FILENO, getpgrp());
	signal(SIGTTOU, SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(argv[0], argv);
	int reason = errno;
	fprintf(stderr, "init: %s: %s\n", argv[0], strerror(reason));
	_exit(reason == ENOENT ? NO_SUCH : CANNOT);
}

// reap waits for the children that have ended; it ends with the program.
static void reap(pid_t program)
{
	int status;
	pid_t ended;
	int over = 0, code = 0;
	while ((ended = waitpid(-1, &status, WNOHANG)) > 0) {
		if (ended != program)
			continue;
		over = 1;
		code = WIFSIGNALED(status) ? SIGNALED + WTERMSIG(status) : WEXITSTATUS(status);
	}
	if (over)
		exit(code);
}

int main(int argc, char **argv)
{
	if (argc < 3 || strcmp(argv[1], "--") != 0) {
		fputs("usage: init -- PROGRAM [ARGUMENT...]\n", stderr);
		return CANNOT;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1); // where another process is the first
	sigset_t all, before;
	sigfillset(&all);
	int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS };
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
		sigdelset(&all, faults[i]);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid_t program = fork();
	if (program < 0) {
		perror("init: fork");
		return CANNOT;
	}
	if (program == 0)
		run(argv + 2, &before);
	for (;;) {
		int sig = sigwaitinfo(&all, NULL);
		if (sig == SIGCHLD)
			reap(program);
		else if (sig > 0 && sig != SIGTTIN && sig != SIGTTOU)
			kill(program, sig);
	}
}
