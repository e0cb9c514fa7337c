// What the image hello-world says.
#include <unistd.h>

static const char text[] =
	"\n"
	"Hello from davit-shim: this machine runs containers.\n"
	"\n"
	"To say so, davit-shim\n"
	" 1. looked for the image hello-world, and took the one that it brings along;\n"
	" 2. put a container together: the image's files, a layer to write to, and a\n"
	"    configuration, config.json;\n"
	" 3. had davit run this program in it, and brought what it says to you.\n"
	"\n"
	"No daemon was asked: nothing of davit-shim is left when this container ends.\n"
	"\n"
	"A whole system, in a terminal:\n"
	"    davit-shim run -it --rm debian bash\n"
	"\n"
	"All commands: davit-shim help\n"
	"\n";

int main(void)
{
	const char *p = text;
	size_t left = sizeof text - 1;
	while (left > 0) {
		ssize_t n = write(STDOUT_FILENO, p, left);
		if (n <= 0)
			return 1;
		p += n;
		left -= (size_t)n;
	}
	return 0;
}
