// Goes on as root of a user namespace that is there already, with mounts of its own,
// for which a process must have one thread alone:
//
//   join ARGUMENT...
//
// Descriptors: 3 is the user namespace, 4 the program that goes on, with these
// arguments, the first of which is its name; 5 is closed when it does.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

enum { NAMESPACE = 3, PROGRAM, DONE, FAILED = 125 };

static void say(const char *text)
{
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		return; // there is nobody to tell
}

static int failed(const char *doing)
{
	const char *reason = strerror(errno);
	say("davit-shim: "), say(doing), say(": "), say(reason), say("\n");
	return FAILED;
}

int main(int argc, char **argv)
{
	if (argc < 1 || setns(NAMESPACE, CLONE_NEWUSER) != 0)
		return failed("joining the user namespace of this user's containers");
	if (unshare(CLONE_NEWNS) != 0)
		return failed("making a namespace of mounts");
	close(NAMESPACE);
	fcntl(PROGRAM, F_SETFD, FD_CLOEXEC);
	fcntl(DONE, F_SETFD, FD_CLOEXEC);
	execv("/proc/self/fd/4", argv);
	return failed("going on in the user namespace");
}
