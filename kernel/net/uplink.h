/*
 * The host's NICs as ports of the switch: the way to the outside. A NIC that
 * somebody else has taken (its receive() is set), or that is there for
 * migration, is left alone.
 */
#ifndef NET_UPLINK_H
#define NET_UPLINK_H

/* All NICs of the LAN that are free; netdev_probe() has found them. */
void uplinks_attach(void);

#endif
