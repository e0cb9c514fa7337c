/* The process: namespaces, limits, scheduling, its place. */
#include <linux/keyctl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statfs.h>

#include "stage.h"

int op_dumpable(const struct step *s) { return prctl(PR_SET_DUMPABLE, (long)num(s, 0), 0, 0, 0); }
int op_setns(const struct step *s) { return setns(file_fd(num(s, 0)), num(s, 1)); }
int op_unshare(const struct step *s) { return unshare(num(s, 0)); }
int op_hostname(const struct step *s) { return sethostname(str(s, 0), strlen(str(s, 0))); }
int op_domainname(const struct step *s) { return setdomainname(str(s, 0), strlen(str(s, 0))); }
int op_umask(const struct step *s) { umask(num(s, 0)); return 0; }
int op_io_priority(const struct step *s) { return sys(ioprio_set, 1, 0, (int)num(s, 0)); }
int op_personality(const struct step *s) { return personality(num(s, 0)) < 0 ? -1 : 0; }

/* The loopback device of a new network namespace is down. */
int op_loopback(const struct step *s)
{
	(void)s;
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int failed = fd < 0 ? -1 : closing(fd, ioctl(fd, SIOCSIFFLAGS, &lo));
	if (failed && errno == EPERM)
		return tell("warn", "setting up the loopback device: operation not permitted [it stays down: davit has no CAP_NET_ADMIN]", -1);
	return failed;
}

/* The stage has one thread, which moves itself. */
int op_enter_cgroup(const struct step *s)
{
	int fd = open(str(s, 0), O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT && num(s, 1) ? 0 : -1;
	return closing(fd, write(fd, "0", 1) == 1 ? 0 : -1);
}

/* A process that already leads its group keeps what it has. */
int op_session(const struct step *s)
{
	(void)s;
	return setsid() < 0 && errno != EPERM ? -1 : 0;
}

/* op_fork leaves the rest of the steps to a child, which is the parent's own
 * child as well. The child waits until its pid is known. */
int op_fork(const struct step *s)
{
	char number[24];
	pid_t pid = sys(clone, CLONE_PARENT | SIGCHLD | num(s, 0), NULL, NULL, NULL, NULL);
	if (pid < 0)
		return -1;
	if (pid == 0)
		return hear("go", NULL);
	_exit(tell("pid", decimal(pid, number), -1) ? 125 : 0);
}

/* Writes to proc go through the parent's verified descriptor of it, and stay
 * on that file system. CVE-2019-16884, CVE-2025-52881. */
int op_write_proc(const struct step *s)
{
	struct open_how how = { .flags = O_WRONLY | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS };
	struct statfs fs;
	size_t size = strlen(str(s, 1));
	int fd = do_openat2(file_fd(0), str(s, 0), &how);
	if (fd < 0)
		return -1;
	if (fstatfs(fd, &fs) || fs.f_type != PROC_SUPER_MAGIC)
		return note(EXDEV, "it is not on a proc file system");
	ssize_t n = write(fd, str(s, 1), size);
	if (n >= 0 && n != (ssize_t)size) {
		errno = EIO;
		n = -1;
	}
	return closing(fd, n < 0 ? -1 : 0);
}

/* keyring_permissions adds to what the keyring's description says. */
static int keyring_permissions(long key, unsigned add)
{
	char text[8192]; /* twice the longest name */
	unsigned mask = 0;
	long n = sys(keyctl, KEYCTL_DESCRIBE, key, text, sizeof text);
	if (n < 0 || n > (long)sizeof text)
		return -1;
	char *p = text;
	for (int i = 0; i < 3 && p; i++) /* type;uid;gid;permissions;... */
		if ((p = strchr(p, ';')))
			p++;
	for (; p && *p && *p != ';'; p++)
		mask = mask << 4 | (*p <= '9' ? *p - '0' : (*p | 32) - 'a' + 10);
	return sys(keyctl, KEYCTL_SETPERM, key, mask | add) < 0 ? -1 : 0;
}

/* A keyring is one more fence, not the wall: without it the container goes on. */
int op_keyring(const struct step *s)
{
	long key = sys(keyctl, KEYCTL_JOIN_SESSION_KEYRING, str(s, 0));
	if (key == 0) /* it is ours already, davit being in a container of this name */
		return 0;
	if (key > 0) /* one that is only joined may be another's to change */
		return num(s, 1) ? keyring_permissions(key, num(s, 1)) : 0;
	if (errno == EDQUOT)
		return tell("warn", "joining a session keyring: disk quota exceeded [the container shares its parent's; raise /proc/sys/kernel/keys/root_maxkeys]", -1);
	if (errno == EPERM)
		return tell("warn", "joining a session keyring: operation not permitted [the container shares its parent's; a container host refuses keyctl(2)]", -1);
	return errno == ENOSYS ? 0 : -1;
}

int op_rlimit(const struct step *s)
{
	struct rlimit limit = { num(s, 1), num(s, 2) };
	return setrlimit(num(s, 0), &limit);
}

int op_raise_rlimit(const struct step *s)
{
	struct rlimit limit;
	if (getrlimit(num(s, 0), &limit))
		return -1;
	if ((rlim_t)num(s, 1) <= limit.rlim_max)
		return 0;
	limit.rlim_max = num(s, 1);
	return setrlimit(num(s, 0), &limit);
}

/* The kernel's struct sched_attr, of its first version. */
struct scheduling {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

int op_scheduler(const struct step *s)
{
	struct scheduling attr = { sizeof attr, num(s, 0), num(s, 1), num(s, 2), num(s, 3), num(s, 4), num(s, 5), num(s, 6) };
	return sys(sched_setattr, 0, &attr, 0);
}

/* No mask means all CPUs, as far as the cgroup allows. */
int op_affinity(const struct step *s)
{
	static unsigned char all[1024];
	size_t size;
	const void *mask = bytes(s, 0, &size);
	if (size)
		return sys(sched_setaffinity, 0, size, mask) < 0 ? -1 : 0;
	memset(all, 0xff, sizeof all);
	sys(sched_setaffinity, 0, sizeof all, all);
	return 0;
}

int op_memory_policy(const struct step *s)
{
	size_t size;
	const void *nodes = bytes(s, 1, &size);
	return sys(set_mempolicy, (int)num(s, 0), size ? nodes : NULL, (unsigned long)num(s, 2));
}

/* op_own_proc puts there a proc of the pid namespace that the process is in,
 * of which whoever reaches it knows all: it has the processes alone.
 * Linux 5.8: subset=pid. */
int op_own_proc(const struct step *s)
{
	(void)s;
	int tree = -1, fs = sys(fsopen, "proc", FSOPEN_CLOEXEC);
	if (fs >= 0 && !sys(fsconfig, fs, FSCONFIG_SET_STRING, "subset", "pid", 0) && !sys(fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		tree = sys(fsmount, fs, FSMOUNT_CLOEXEC, 0);
	closing(fs, 0);
	return tree < 0 ? -1 : closing(tree, dup3(tree, file_fd(0), O_CLOEXEC) < 0 ? -1 : 0);
}

/* The working directory, with root's rights or else with the user's. It must
 * be one that the container can name. CVE-2024-21626. */
int op_chdir(const struct step *s)
{
	static int pending = 1;
	char path[4096];
	if (pending) {
		int fd = in_root(str(s, 0), O_PATH | O_DIRECTORY, 0);
		if (fd >= 0 && fchdir(fd) == 0)
			pending = 0;
		else if (errno != EACCES || num(s, 1))
			return -1;
		close(fd);
	}
	if (!num(s, 1))
		return 0;
	if (sys(getcwd, path, sizeof path) < 0 || path[0] != '/')
		return note(ENOENT, "current working directory is outside of container mount namespace root");
	return 0;
}
