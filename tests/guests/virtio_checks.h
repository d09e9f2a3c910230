/* What the two files of the guest "virtio" share. */
#ifndef GUEST_VIRTIO_CHECKS_H
#define GUEST_VIRTIO_CHECKS_H

#include "virtio.h"

/* The device under test, its first queue, and a page for what it writes. */
extern struct virtio dev;
extern struct ring ring;
extern struct queue queue;
extern u8 buffer[4096];

/* For conditions that cost an exit. */
#define soon(cond)                                                   \
	({                                                           \
		for (unsigned looks = 0; !(cond) && looks < 100000;) \
			looks++;                                     \
		(cond);                                              \
	})

/* Finds it, or skips the test. */
void virtio_need(unsigned type, const char *name);
/* From a reset to DRIVER_OK. */
void virtio_start(u64 features);
/* Gives the device a chain by its first descriptor. */
void virtio_send(u16 head);

/* virtio_interrupts.c */
void test_msix(void);
void test_msix_mask(void);
void test_no_interrupt(void);
void test_event_index(void);
void test_no_vector(void);
void test_broken_interrupt(void);
void test_isr(void);
void test_line(void);

#endif
