/* The user's home directory, from the container's passwd. */
#include <limits.h>

#include "stage.h"

static char home[PATH_MAX] = "HOME=/";

/* with_home puts what was looked up in the place that the plan left for it. */
char **with_home(char **env)
{
	for (char **e = env; *e; e++)
		if (!strcmp(*e, "HOME="))
			*e = home;
	return env;
}

/* passwd_home copies the sixth field of a line whose third is the uid. */
static int passwd_home(char *line, const char *uid)
{
	char *field[6];
	for (int i = 0; i < 6; i++) {
		field[i] = line;
		line = strchr(line, ':');
		if (!line)
			return 0;
		*line++ = 0;
	}
	if (strcmp(field[2], uid) || !*field[5] || strlen(field[5]) > sizeof home - 6)
		return 0;
	strcpy(home + 5, field[5]);
	return 1;
}

/* op_home reads the container's passwd: a regular file, a bounded part of it. */
int op_home(const struct step *s)
{
	enum { MAX_READS = 2560 };
	char buf[4097], number[24];
	const char *uid = decimal(num(s, 0), number);
	struct stat st;
	size_t used = 0;
	int skip = 0; /* the rest of a line that is too long to be an entry */
	ssize_t n;
	int fd = in_root("/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode))
		return fd < 0 ? 0 : close(fd);
	for (int i = 0; i < MAX_READS && (n = read(fd, buf + used, sizeof buf - 1 - used)) > 0; i++) {
		char *line = buf, *end;
		used += n;
		buf[used] = 0;
		while ((end = strchr(line, '\n'))) {
			*end = 0;
			if (!skip && passwd_home(line, uid))
				return close(fd);
			skip = 0;
			line = end + 1;
		}
		used = strlen(line);
		memmove(buf, line, used);
		if (used == sizeof buf - 1) {
			skip = 1;
			used = 0;
		}
	}
	buf[used] = 0;
	if (!skip)
		passwd_home(buf, uid);
	return close(fd);
}
