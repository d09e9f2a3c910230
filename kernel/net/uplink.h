/*
 * The host's NICs as ports of the switch: the way to the outside. A NIC that
 * somebody else has taken (its receive() is set) is left alone.
 */
#ifndef NET_UPLINK_H
#define NET_UPLINK_H

/* All NICs that are free; netdev_probe() has found them. */
void uplinks_attach(void);

#endif
