/*
 * A learning Ethernet switch between VMs and the outside: frames go where their
 * destination was last heard from, else everywhere. A port is anything that
 * takes a frame: a VM's network device, a NIC of the host. Service CPU only.
 */
#ifndef NET_SWITCH_H
#define NET_SWITCH_H

#include "drivers/netdev.h"
#include "lib/types.h"

struct net_port_stats {
	u64 in_frames, in_bytes;   /* from the port into the switch */
	u64 out_frames, out_bytes; /* to the port */
	u64 dropped;		   /* the port had no room */
};

struct net_port {
	const char *name; /* the VM's, or the NIC's */
	/*
	 * Takes a frame; its pieces are valid during the call only. False: no
	 * room, it is lost.
	 */
	bool (*deliver)(struct net_port *port, const struct net_piece *piece,
			unsigned count, u32 size);
	/* After a batch: tell the device, interrupt the guest. May be NULL. */
	void (*flush)(struct net_port *port);
	struct net_port_stats stats;
	bool pending_flush;
};

#define SWITCH_PORTS 72 /* VMS_MAX and the NICs */

/* One switch for the host. Remove forgets what was learned about the port. */
err_t switch_add(struct net_port *port);
void switch_remove(struct net_port *port);

/* A frame from a port; not shorter than an Ethernet header, or it is lost. */
void switch_input(struct net_port *from, const struct net_piece *piece,
		  unsigned count, u32 size);

/* At the end of a batch: flushes all ports that were given something. */
void switch_flush(void);

#endif
