/*
 * A cable between two emulated network cards that can be made worse: slower,
 * longer, lossy, or cut. Each end is an AF_UNIX socket that QEMU's
 * `-netdev stream` connects to; frames follow their lengths, four bytes, the
 * highest first.
 *
 *	wirebox A-SOCKET B-SOCKET [SETTING...]
 *
 * Settings are words, on the command line and on standard input, as many a line
 * as one likes; each line is answered by `ok`, or `wrong: WORD`:
 *
 *	rate=N       bytes per second each way, like 200M; 0: no limit
 *	delay_us=N   how long each frame is under way,
 *	jitter_us=N  and up to so much longer; the order stays
 *	loss=P       0.01: of a hundred frames one is lost
 *	corrupt=P    one bit of it is another, anywhere in the frame
 *	dup=P        it comes twice
 *	reorder=P    1 to 8 later frames overtake it; it waits 10 ms for them
 *	seed=N       of these chances
 *	cut=0|1|ab|ba  both ways are whole, or cut, or one of them
 *	after=N      the cut comes when N frames have passed from A to B
 *	before=OFFSET:BYTE,...  it comes with the first frame that has all
 *	             these bytes (in hexadecimal), which is lost
 *	behind=...   that frame still passes
 *	fails=1|ab|ba  what such a cut takes: both ways, or one of them
 *	pcap=FILE    records what leaves the box, with the time in nanoseconds;
 *	             ab:FILE and ba:FILE one way only; empty: no more
 *	stats        {"ab":{"frames":..,"bytes":..,"lost":..,...},"ba":{..}}
 *
 * What befalls a frame depends on the seed, its way, and how many frames came
 * that way since the seed was set; on nothing else. Nothing is lost but what is
 * said: who sends faster than the cable takes is held up. What is under way
 * when the cable is cut still arrives. An end that goes away may come again.
 * Standard input's end is the box's end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "wirebox.h"

static u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * SECOND + (u64)t.tv_nsec;
}

static u64 next_event(u64 now)
{
	u64 until = pcap_tick(now, now + SECOND);

	for (unsigned side = 0; side < 2; side++)
		until = way_next(&ways[side], now, until);
	return until - now;
}

static void turn(void)
{
	u64 now = now_ns(), until;
	struct pollfd fds[3];
	struct timespec wait;
	bool full[2];

	for (unsigned side = 0; side < 2; side++) {
		way_release(1 - side, now);
		full[side] = end_write(side, now);
	}
	for (unsigned side = 0; side < 2; side++)
		fds[side] = end_watched(side, full[side], now);
	fds[2] = (struct pollfd){STDIN_FILENO, POLLIN, 0};
	until = next_event(now);
	wait = (struct timespec){(time_t)(until / SECOND),
				 (long)(until % SECOND)};
	if (ppoll(fds, 3, &wait, NULL) < 0 && errno != EINTR) {
		perror("wirebox");
		exit(1);
	}
	if (fds[2].revents)
		words_read();
	now = now_ns();
	for (unsigned side = 0; side < 2; side++)
		end_event(side, fds[side].revents, now);
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr,
			"usage: wirebox A-SOCKET B-SOCKET [SETTING...]\n");
		return 2;
	}
	prctl(PR_SET_TIMERSLACK, 1);
	fate_seed(0);
	for (unsigned side = 0; side < 2; side++) {
		way_open(&ways[side]);
		end_listen(side, argv[1 + side]);
	}
	for (int i = 3; i < argc; i++) {
		if (!word_set(argv[i])) {
			fprintf(stderr, "wirebox: wrong: %s\n", argv[i]);
			return 2;
		}
	}
	printf("ready\n");
	fflush(stdout);
	for (;;)
		turn();
}
