/* What a trace tells of moves: their frames, rounds and steps. */
#ifndef MIGRATION_TRACE_H
#define MIGRATION_TRACE_H

#include "trace/trace.h"

struct outgoing;
struct vm;

/* A frame is handed to the device, or came from it; before it is deciphered. */
void trace_frame_sent(const u8 *frame, u32 size);
void trace_frame_received(const u8 *frame, u32 size);

/* The device is told of those that were sent; a round of taking ends. */
void trace_frames_sent(void);
void trace_frames_received(void);

/* The rounds that have ended since the last call. */
void trace_rounds(struct outgoing *out);

void trace_step(const struct vm *vm, enum trace_step step);

#endif
