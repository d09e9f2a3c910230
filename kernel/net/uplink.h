/*
 * The host's NICs as ports of the switch: the way to the outside. A NIC that
 * somebody else has taken (its receive() is set), or that is there for
 * migration, is left alone.
 */
#ifndef NET_UPLINK_H
#define NET_UPLINK_H

#include "lib/types.h"

/* All NICs of the LAN that are free; netdev_probe() has found them. */
void uplinks_attach(void);

/* Frames of this EtherType are not the guests': take() gets them. */
void uplink_private(u16 ethertype,
		    void (*take)(void *context, const void *frame, u32 size));

#endif
