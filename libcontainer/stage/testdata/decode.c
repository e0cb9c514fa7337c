/* Decodes plans with the stage's own decoder, built with sanitizers. On
 * standard input: a length of 32 bits and that many bytes, again and again.
 * On standard output, one letter each: a for accepted, r for refused. Every
 * value of an accepted plan is read to its end. */
#include <stdio.h>
#include <stdlib.h>

#include "stage.h"

#define SIGNATURE(name, signature) signature,
static const char *const signatures[] = { OPERATIONS(SIGNATURE) };
enum { OP_COUNT = sizeof signatures / sizeof *signatures };

static volatile uint64_t seen;

static void walk_value(const struct step *s, int i)
{
	const unsigned char *data;
	size_t size;
	switch (signatures[s->op][i]) {
	case 's':
		seen += strlen(str(s, i));
		break;
	case 'l':
		for (char **l = list(s, i); *l; l++)
			seen += strlen(*l);
		break;
	case 'b':
		data = bytes(s, i, &size);
		for (size_t at = 0; at < size; at++)
			seen += data[at];
		break;
	default:
		seen += num(s, i);
	}
}

static void walk(void)
{
	for (uint32_t i = 0; i < wire_steps(); i++) {
		const struct step *s = wire_step(i);
		if (s->op >= OP_COUNT || s->values != strlen(signatures[s->op]))
			abort();
		for (int j = 0; j < s->values; j++)
			walk_value(s, j);
	}
}

int main(void)
{
	uint32_t size;
	while (fread(&size, sizeof size, 1, stdin) == 1) {
		unsigned char *plan = malloc(size);
		if (fread(plan, 1, size, stdin) != size)
			return 1;
		int refused = wire_decode(plan, size);
		if (!refused)
			walk();
		free(plan);
		putchar(refused ? 'r' : 'a');
		fflush(stdout);
	}
	return 0;
}
