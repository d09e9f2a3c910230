#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "wirebox.h"

#define BUFFER	(4u << 20)
#define FLUSHED (SECOND / 10)

/* Of the file, and of a frame in it: libpcap's, with nanoseconds. */
static const struct {
	u32 magic;
	uint16_t major, minor;
	u32 zone, accuracy, longest, ethernet;
} file_head = {0xa1b23c4d, 2, 4, 0, 0, 1 << 18, 1};

struct frame_head {
	u32 seconds, ns, size, whole;
};

static FILE *file;
static bool wanted[2];
static struct frame_head head;
static u64 flush_at; /* 0: nothing waits */

static void stop(void)
{
	if (file)
		fclose(file);
	file = NULL;
}

static void failed(void)
{
	perror("wirebox: pcap");
	stop();
}

bool pcap_open(const char *value)
{
	bool ab = !strncmp(value, "ab:", 3), ba = !strncmp(value, "ba:", 3);

	stop();
	if (!*value)
		return true;
	wanted[0] = !ba;
	wanted[1] = !ab;
	file = fopen(ab || ba ? value + 3 : value, "wbe");
	if (!file)
		return false;
	setvbuf(file, NULL, _IOFBF, BUFFER);
	fwrite(&file_head, sizeof(file_head), 1, file);
	pcap_flush();
	return file;
}

bool pcap_wants(unsigned side)
{
	return file && wanted[side];
}

void pcap_stamp(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	head.seconds = (u32)t.tv_sec;
	head.ns = (u32)t.tv_nsec;
}

void pcap_frame(const unsigned char *frame, u32 size)
{
	if (!file)
		return;
	head.size = head.whole = size;
	if (fwrite(&head, sizeof(head), 1, file) != 1 ||
	    (size && fwrite(frame, size, 1, file) != 1))
		failed();
}

void pcap_flush(void)
{
	flush_at = 0;
	if (file && fflush(file))
		failed();
}

u64 pcap_tick(u64 now, u64 until)
{
	if (!file)
		return until;
	if (!flush_at)
		flush_at = now + FLUSHED;
	if (flush_at <= now) {
		pcap_flush();
		flush_at = now + FLUSHED;
	}
	return flush_at < until ? flush_at : until;
}
