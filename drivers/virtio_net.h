/* What the device and its measuring rod (shell/net_plain.c) have in common. */
#ifndef DRIVERS_VIRTIO_NET_H
#define DRIVERS_VIRTIO_NET_H

/* struct virtio_net_hdr with VERSION_1, 5.1.6. */
#define VNET_HEADER 12

struct netdev;
struct virtio_device;

/* The device under it; NULL: it is no virtio-net. */
struct virtio_device *virtio_net_device(struct netdev *dev);

#endif
