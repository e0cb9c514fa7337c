/* mount(2) between descriptors: by the verified proc, so that no name is looked
 * up twice. */
#include <sys/mount.h>

#include "stage.h"

struct fd_path { char text[40]; };

static const char *path_of(int fd, struct fd_path *p)
{
	char digits[24];
	strcpy(p->text, "self/fd/");
	return strcat(p->text, decimal(fd, digits));
}

/* mount_fds is mount(2) between descriptors. */
int mount_fds(int from, int to, const char *type, unsigned long flags, const char *data)
{
	struct fd_path a, b;
	int cwd = open(".", O_PATH | O_CLOEXEC);
	if (cwd < 0 || fchdir(file_fd(0)))
		return closing(cwd, -1);
	int failed = mount(from < 0 ? type : path_of(from, &a), path_of(to, &b), type, flags, data);
	int error = errno;
	fchdir(cwd);
	errno = error;
	return closing(cwd, failed);
}
