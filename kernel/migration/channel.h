/*
 * The way to other hosts: one NIC, and buffers for frames that are on their way
 * out. The NIC is the one whose role is migration; where there is none the
 * first one carries migrations beside what the guests send.
 */
#ifndef MIGRATION_CHANNEL_H
#define MIGRATION_CHANNEL_H

#include "drivers/netdev.h"
#include "lib/error.h"

/* E_NOTFOUND: there is no NIC. buffers 0: as many as fill 4 MiB. */
err_t channel_open(unsigned buffers,
		   void (*receive)(const void *frame, u32 size));

const struct netdev *channel_nic(void); /* NULL: it is not open */
u32 channel_frame_max(void);
/* Page frames that this host can take at once. */
unsigned channel_credit(void);

/* A buffer for the largest frame, NULL: all are on their way. */
u8 *channel_buffer(void);
/* Sends what is in it, or, with size 0, gives it back. */
void channel_send(u8 *buffer, u32 size);
/* Tells the device. True: frames wait for room in it. */
bool channel_flush(void);

#endif
