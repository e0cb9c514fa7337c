/* The loop. argv[1] is the number of the control socket; the plan's memfd
 * and the plan's files have the numbers after it. */
#include <sys/prctl.h>
#include <sys/socket.h>
#include <linux/close_range.h>
#include <signal.h>

#include "stage.h"

#define FUNCTION(name, signature) op_##name,
static int (*const operations[])(const struct step *) = { OPERATIONS(FUNCTION) };

static int number(const char *text)
{
	int n = 0;
	for (; *text >= '0' && *text <= '9' && n < 100000; text++)
		n = 10 * n + *text - '0';
	return n;
}

/* default_signals takes back what the caller ignores and blocks, which would
 * outlive execve: no program expects it. It asks the kernel itself, since the C
 * library leaves out the signals that are its own. */
static void default_signals(void)
{
	static const uint64_t nothing[4]; /* SIG_DFL, and the empty set */
	for (int s = 1; s <= 64; s++)
		sys(rt_sigaction, s, nothing, NULL, sizeof nothing[0]);
	sys(rt_sigprocmask, SIG_SETMASK, nothing, NULL, sizeof nothing[0]);
}

/* Standard streams that are closed shall not become files of ours: whoever
 * sets them up would close those. What holds their places ends with exec. */
static void reserve_streams(void)
{
	int fd;
	do
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	while (fd >= 0 && fd < 3);
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc != 2 || (control_fd = number(argv[1])) < 3)
		return 125;
	prctl(PR_SET_NAME, "davit-stage");
	umask(022);
	default_signals();
	reserve_streams();
	if (do_close_range(control_fd, CLOSE_RANGE_CLOEXEC) || wire_load(control_fd + 1)) {
		report_failure(0);
		return 125;
	}
	for (uint32_t i = 0; i < wire_steps(); i++) {
		const struct step *s = wire_step(i);
		int failed = operations[s->op](s);
		record_time(i);
		if (failed) {
			if (errno != ECANCELED)
				report_failure(i);
			return 125;
		}
	}
	return 125; /* the last step does not return */
}
