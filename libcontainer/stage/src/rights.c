/* Identity and rights: ids, groups, capabilities, the seccomp filter. */
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include "stage.h"

int op_no_new_privileges(const struct step *s) { (void)s; return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }

int op_become(const struct step *s)
{
	uid_t uid = num(s, 0);
	gid_t gid = num(s, 1);
	return sys(setresgid, gid, gid, gid) || sys(setresuid, uid, uid, uid) ? -1 : 0;
}

/* setgroups_denied: the user namespace is one that was joined, of someone who
 * maps himself alone. It is asked before the host's proc is left. */
static int setgroups_denied(void)
{
	static int denied = -1;
	char text[8] = "";
	if (denied >= 0)
		return denied;
	int fd = openat(file_fd(0), "self/setgroups", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
	return denied = closing(fd, n >= 4 && !memcmp(text, "deny", 4));
}

/* op_leave_proc gives the place of the host's proc to what is no directory. */
int op_leave_proc(const struct step *s)
{
	(void)s;
	setgroups_denied();
	return dup3(control_fd, file_fd(0), O_CLOEXEC) < 0 ? -1 : 0;
}

/* No groups and no right to drop those that are there: they stay. */
int op_groups(const struct step *s)
{
	size_t size;
	const gid_t *gids = bytes(s, 0, &size);
	int failed = sys(setgroups, size / sizeof *gids, gids);
	if (failed && errno == EPERM && setgroups_denied()) {
		if (!size)
			return 0;
		return note(EPERM, "cannot set any additional groups in a rootless container");
	}
	return failed;
}

int op_user(const struct step *s)
{
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
		return -1;
	if (op_become(s))
		return errno == EINVAL ? note(EINVAL, "the id is not mapped in the user namespace") : -1;
	return prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
}

int op_bounding_set(const struct step *s)
{
	uint64_t keep = num(s, 0);
	for (int i = 0; i < 64; i++) {
		if (keep >> i & 1 || !prctl(PR_CAPBSET_DROP, i, 0, 0, 0))
			continue;
		if (errno == EINVAL)
			return 0; /* beyond the last */
		if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) > 0)
			return note(EPERM, "dropping from the bounding set");
	}
	return 0;
}

int op_capabilities(const struct step *s)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct sets[2];
	uint64_t ambient = num(s, 3);
	for (int i = 0; i < 2; i++)
		sets[i] = (struct __user_cap_data_struct){ num(s, 0) >> 32 * i, num(s, 1) >> 32 * i, num(s, 2) >> 32 * i };
	if (sys(capset, &head, sets))
		return -1;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (int i = 0; i < 64; i++)
		if (ambient >> i & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0))
			return note(errno, "raising an ambient capability");
	return 0;
}

enum { LISTENER_NONE, LISTENER_SENT, LISTENER_TAKEN };

/* offer hands the listener to the parent, with a message; or it says the number
 * under which the parent takes it, by the one call that no filter notifies of. */
static int offer(int listener, int how)
{
	char text[40] = "sync seccomp ", number[24];
	if (how == LISTENER_SENT)
		return ask("sync", "seccomp", listener, NULL);
	strcat(text, decimal(listener, number));
	return write(control_fd, text, strlen(text)) < 0 ? -1 : hear("go", NULL);
}

int op_seccomp(const struct step *s)
{
	size_t size;
	struct sock_fprog program = { .filter = (struct sock_filter *)bytes(s, 0, &size) };
	if (size / sizeof *program.filter > BPF_MAXINSNS)
		return note(E2BIG, "the filter has more than 4096 instructions");
	program.len = size / sizeof *program.filter;
	int fd = sys(seccomp, SECCOMP_SET_MODE_FILTER, (unsigned)num(s, 1), &program);
	if (fd < 0)
		return -1;
	stop_clock(); /* it may take a system call, which the filter may forbid */
	if (num(s, 2) == LISTENER_NONE)
		return 0;
	return offer(fd, num(s, 2)) ? -1 : close(fd);
}
