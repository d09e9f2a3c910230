/*
 * Registers of the 82540EM by their names in Intel's PCI/PCI-X Family of
 * Gigabit Ethernet Controllers Software Developer's Manual (317453), chapter
 * 13, and its legacy descriptors, chapter 3.
 */
#ifndef DRIVERS_E1000_REGS_H
#define DRIVERS_E1000_REGS_H

#include "lib/types.h"

enum {
	REG_CTRL = 0x0000,
	REG_STATUS = 0x0008,
	REG_EERD = 0x0014,
	REG_MDIC = 0x0020,
	REG_ICR = 0x00c0,
	REG_IMS = 0x00d0,
	REG_IMC = 0x00d8,
	REG_RCTL = 0x0100,
	REG_TCTL = 0x0400,
	REG_TIPG = 0x0410,
	REG_RDBAL = 0x2800,
	REG_RDBAH = 0x2804,
	REG_RDLEN = 0x2808,
	REG_RDH = 0x2810,
	REG_RDT = 0x2818,
	REG_TDBAL = 0x3800,
	REG_TDBAH = 0x3804,
	REG_TDLEN = 0x3808,
	REG_TDH = 0x3810,
	REG_TDT = 0x3818,
	REG_MPC =
		0x4010, /* frames missed for want of a buffer; reading clears */
	REG_MTA = 0x5200,
	REG_RAL = 0x5400,
	REG_RAH = 0x5404,
	E1000_REGISTERS = 0x8000, /* bytes of them that we use */
};

#define MTA_WORDS 128

#define CTRL_FD	      BIT(0) /* full duplex */
#define CTRL_ASDE     BIT(5) /* speed by what the link says */
#define CTRL_SLU      BIT(6) /* link up */
#define CTRL_SPD_1000 (2u << 8)
#define CTRL_FRCSPD   BIT(11) /* speed and duplex as is said here */
#define CTRL_FRCDPX   BIT(12)
#define CTRL_RST      BIT(26)

#define STATUS_LU BIT(1)

/* 13.4.4, of the 82540EM. */
#define EERD_START	   BIT(0)
#define EERD_DONE	   BIT(4)
#define EERD_ADDRESS_SHIFT 8
#define EERD_DATA_SHIFT	   16

/* 13.4.7: a write to a register of the PHY, which has address 1. */
#define MDIC_REG_SHIFT 16
#define MDIC_PHY       (1u << 21)
#define MDIC_WRITE     (1u << 26)
#define MDIC_READY     BIT(28)
#define MDIC_ERROR     BIT(30)

/* IEEE 802.3, 22.2.4.1: the PHY's control register. */
#define PHY_CONTROL   0
#define PHY_FD	      BIT(8)
#define PHY_LOOPBACK  BIT(14)
#define PHY_SPEED_MSB BIT(6) /* 1000 Mb/s */

#define INT_TXDW   BIT(0) /* a descriptor with RS was written back */
#define INT_LSC	   BIT(2)
#define INT_RXDMT0 BIT(4)
#define INT_RXO	   BIT(6)
#define INT_RXT0   BIT(7)

#define RCTL_EN	   BIT(1)
#define RCTL_UPE   BIT(3) /* frames for anybody: */
#define RCTL_MPE   BIT(4) /* we are a switch's port */
#define RCTL_LPE   BIT(5) /* more than 1522 bytes */
#define RCTL_BAM   BIT(15)
#define RCTL_2048  0
#define RCTL_16384 (BIT(16) | BIT(25)) /* BSIZE 01 with BSEX */
#define RCTL_SECRC BIT(26)	       /* without checksum */

#define TCTL_EN	     BIT(1)
#define TCTL_PSP     BIT(3) /* pads short frames */
#define TCTL_CT	     (15u << 4)
#define TCTL_COLD    (64u << 12)
#define TIPG_DEFAULT (10u | 8u << 10 | 6u << 20)

#define RAH_AV BIT(31)

struct e1000_rx_desc {
	u64 address;
	u16 size;
	u16 checksum;
	u8 status;
	u8 errors;
	u16 special;
};
ASSERT_SIZE(struct e1000_rx_desc, 16);
ASSERT_OFFSET(struct e1000_rx_desc, status, 12);

#define RXD_DD	BIT(0)
#define RXD_EOP BIT(1)

struct e1000_tx_desc {
	u64 address;
	u16 size;
	u8 checksum_offset;
	u8 command;
	u8 status;
	u8 checksum_start;
	u16 special;
};
ASSERT_SIZE(struct e1000_tx_desc, 16);
ASSERT_OFFSET(struct e1000_tx_desc, status, 12);

#define TXD_EOP	 BIT(0)
#define TXD_IFCS BIT(1) /* append the checksum */
#define TXD_RS	 BIT(3)
#define TXD_DD	 BIT(0)

#endif
