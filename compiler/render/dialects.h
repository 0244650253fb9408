/* dialects.h - what dialects.c offers the renderer and the emission beyond ir/ir.h. */
#ifndef NNCC_DIALECTS_H
#define NNCC_DIALECTS_H

#include "ir/ir.h"
#include "render/render.h"

/* The row of a function of MAP texts ("exp"); NULL if there is none. math_names[] ends with a NULL name.
 * f32 and f64 are whole names ("nncc_expf", "floorf"); int_ is a stem that takes a width: "nncc_idiv" and "_i32", where
 * the widths are i32 i64 u32 u64 (narrower types compute as i32 or u32). */
const MathName *math_name(const char *name);

/* Further helpers, by name: nncc_f32_to_i8 (from f32 f64, to i8 i16 i32 i64 u8 u16 u32 u64: saturating, NaN gives 0)
 * and nncc_f16_load nncc_f16_store nncc_bf16_load nncc_bf16_store (uint16_t to and from float). */
bool is_helper(const char *name);

/* Pastes the helpers named in `needs`, before each those that it calls, each once. Names that are no helpers (libm's)
 * are passed over, so that a list of everything called will do. The text needs <math.h>, <stdint.h> and <string.h>. */
void put_runtime(Str *, const List *needs);

/* Whether number_text() spells the number with a macro of <math.h>. */
bool needs_math_h(DType, Scalar);

#endif
