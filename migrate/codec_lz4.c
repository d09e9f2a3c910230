/* LZ4 blocks, by the library. Its state is ours, so that it allocates nothing.
 */
#include <lz4.h>

#include "migrate/codec.h"

size_t lz4_state_size(void)
{
	return (size_t)LZ4_sizeofState();
}

size_t lz4_encode(u8 *state, const u8 *page, u8 *to, size_t room)
{
	int size = LZ4_compress_fast_extState(
		state, (const char *)page, (char *)to, MIG_PAGE, (int)room, 1);

	return size > 0 ? (size_t)size : 0;
}

bool lz4_decode(const u8 *data, size_t size, u8 *page)
{
	return LZ4_decompress_safe((const char *)data, (char *)page, (int)size,
				   MIG_PAGE) == (int)MIG_PAGE;
}
