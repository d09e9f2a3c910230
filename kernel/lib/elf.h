/* The parts of the ELF-64 file format (System V gABI chapter 4) that we read.
 */
#ifndef LIB_ELF_H
#define LIB_ELF_H

#include "lib/types.h"

#define ELF_MAGIC	   0x464c457fu /* "\177ELF" */
#define ELF_CLASS64	   2
#define ELF_DATA_LSB	   1
#define ELF_MACHINE_X86_64 62

#define ELF_SHT_SYMTAB 2
#define ELF_SHT_STRTAB 3

#define ELF_SHF_EXECINSTR 4

#define ELF_STT_NOTYPE 0
#define ELF_STT_FUNC   2

struct elf_header {
	u32 magic;
	u8 class;
	u8 data;
	u8 ident[10];
	u16 type;
	u16 machine;
	u32 version;
	u64 entry;
	u64 phoff;
	u64 shoff;
	u32 flags;
	u16 ehsize;
	u16 phentsize;
	u16 phnum;
	u16 shentsize;
	u16 shnum;
	u16 shstrndx;
};
ASSERT_SIZE(struct elf_header, 64);

struct elf_section {
	u32 name;
	u32 type;
	u64 flags;
	u64 addr;
	u64 offset;
	u64 size;
	u32 link;
	u32 info;
	u64 addralign;
	u64 entsize;
};
ASSERT_SIZE(struct elf_section, 64);

struct elf_symbol {
	u32 name;
	u8 info;
	u8 other;
	u16 shndx;
	u64 value;
	u64 size;
};
ASSERT_SIZE(struct elf_symbol, 24);

#endif
