/* The loop. argv[1] is the number of the control socket; the plan's memfd
 * and the plan's files have the numbers after it. */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <linux/close_range.h>
#include <time.h>

#include "stage.h"

#define FUNCTION(name, signature) op_##name,
static int (*const operations[])(const struct step *) = { OPERATIONS(FUNCTION) };

static int plan_fd;

/* file_fd is the descriptor of one of the plan's files. */
int file_fd(int64_t index) { return plan_fd + 1 + (int)index; }

/* step_times has room for the end of each step, where anybody wants to know. */
static int64_t *step_times;

/* The clock is one that time namespaces do not change. */
int op_clock(const struct step *s)
{
	void *times = mmap(NULL, wire_steps() * sizeof *step_times, PROT_READ | PROT_WRITE, MAP_SHARED, file_fd(num(s, 0)), 0);
	if (times == MAP_FAILED)
		return -1;
	step_times = times;
	return 0;
}

void stop_clock(void) { step_times = NULL; }

static void record_time(uint32_t step)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	step_times[step] = t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int number(const char *text)
{
	int n = 0;
	for (; *text >= '0' && *text <= '9' && n < 100000; text++)
		n = 10 * n + *text - '0';
	return n;
}

static int load_plan(void)
{
	struct stat st;
	if (fstat(plan_fd, &st))
		return -1;
	void *plan = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, plan_fd, 0);
	if (plan == MAP_FAILED)
		return -1;
	return wire_decode(plan, st.st_size);
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
	plan_fd = control_fd + 1;
	prctl(PR_SET_NAME, "davit-stage");
	umask(022);
	default_signals();
	reserve_streams();
	if (do_close_range(control_fd, CLOSE_RANGE_CLOEXEC) || load_plan()) {
		report_failure(0);
		return 125;
	}
	for (uint32_t i = 0; i < wire_steps(); i++) {
		const struct step *s = wire_step(i);
		int failed = operations[s->op](s);
		if (step_times)
			record_time(i);
		if (failed) {
			if (errno != ECANCELED)
				report_failure(i);
			return 125;
		}
	}
	return 125; /* the last step does not return */
}
