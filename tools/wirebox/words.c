#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wirebox.h"

/* Like 200M. */
static bool number(const char *text, double *value)
{
	char *end;

	*value = strtod(text, &end);
	if (end == text || !(*value >= 0 && *value < 1e18))
		return false;
	if (*end == 'k')
		*value *= 1e3;
	else if (*end == 'M')
		*value *= 1e6;
	else if (*end == 'G')
		*value *= 1e9;
	else
		return !*end;
	return !end[1];
}

static bool set_seed(const char *value)
{
	double seed;

	if (!number(value, &seed))
		return false;
	fate_seed((u64)seed);
	return true;
}

static bool which_ways(const char *text, bool of[2])
{
	bool both = !strcmp(text, "1");

	of[0] = both || !strcmp(text, "ab");
	of[1] = both || !strcmp(text, "ba");
	return of[0] || of[1];
}

static bool set_cut(const char *how)
{
	bool of[2];

	if (!which_ways(how, of) && strcmp(how, "0") != 0)
		return false;
	ways[0].cut = of[0];
	ways[1].cut = of[1];
	return true;
}

static bool set_fails(const char *how)
{
	bool of[2];

	if (!which_ways(how, of))
		return false;
	memcpy(settings.fails, of, sizeof(of));
	return true;
}

static bool set_before(const char *value)
{
	return pattern_set(&cut_before, value);
}

static bool set_behind(const char *value)
{
	return pattern_set(&cut_behind, value);
}

/* A number is multiplied by the scale. */
static const struct word {
	const char *name;
	u64 *value, scale;
	bool (*set)(const char *value);
} words[] = {
	{"rate", &settings.rate, 1, NULL},
	{"delay_us", &settings.delay, 1000, NULL},
	{"jitter_us", &settings.jitter, 1000, NULL},
	{"loss", &settings.loss, CERTAIN, NULL},
	{"corrupt", &settings.corrupt, CERTAIN, NULL},
	{"dup", &settings.repeat, CERTAIN, NULL},
	{"reorder", &settings.reorder, CERTAIN, NULL},
	{"after", &settings.after, 1, NULL},
	{"seed", NULL, 0, set_seed},
	{"cut", NULL, 0, set_cut},
	{"fails", NULL, 0, set_fails},
	{"before", NULL, 0, set_before},
	{"behind", NULL, 0, set_behind},
	{"pcap", NULL, 0, pcap_open},
};

static void print_stats(void)
{
	pcap_flush();
	for (unsigned i = 0; i < 2; i++) {
		const struct way *way = &ways[i];
		const struct {
			const char *name;
			u64 count;
		} counts[] = {
			{"frames", way->frames},
			{"bytes", way->bytes},
			{"lost", way->lost},
			{"corrupted", way->corrupted},
			{"repeated", way->repeated},
			{"reordered", way->reordered},
			{"recorded", way->recorded},
		};

		printf("%s", i ? "},\"ba\":{" : "{\"ab\":{");
		for (size_t n = 0; n < sizeof(counts) / sizeof(*counts); n++)
			printf("%s\"%s\":%llu", n ? "," : "", counts[n].name,
			       (unsigned long long)counts[n].count);
	}
	printf("}}\n");
}

static bool set_value(const struct word *word, const char *text)
{
	double value;

	if (word->set)
		return word->set(text);
	if (!number(text, &value) || (word->scale == CERTAIN && value > 1))
		return false;
	*word->value = (u64)(value * (double)word->scale);
	return true;
}

bool word_set(const char *word)
{
	const char *value = strchr(word, '=');

	if (!strcmp(word, "stats")) {
		print_stats();
		return true;
	}
	for (size_t i = 0; value && i < sizeof(words) / sizeof(*words); i++) {
		size_t n = strlen(words[i].name);

		if (n == (size_t)(value - word) &&
		    !memcmp(word, words[i].name, n))
			return set_value(&words[i], value + 1);
	}
	return false;
}

static void obey(char *line)
{
	const char *wrong = NULL;
	char *rest = line, *word;

	while ((word = strsep(&rest, " \t")))
		if (*word && !word_set(word))
			wrong = word;
	if (wrong)
		printf("wrong: %s\n", wrong);
	else
		printf("ok\n");
	fflush(stdout);
}

void words_read(void)
{
	static char text[4096];
	static size_t size;
	ssize_t n = read(STDIN_FILENO, text + size, sizeof(text) - size);
	char *newline;

	if (n <= 0)
		exit(0);
	size += (size_t)n;
	while ((newline = memchr(text, '\n', size))) {
		size_t used = (size_t)(newline - text) + 1;

		*newline = '\0';
		obey(text);
		memmove(text, text + used, size - used);
		size -= used;
	}
	if (size == sizeof(text))
		size = 0;
}
