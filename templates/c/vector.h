/* $(lanes) floats side by side. This file is for $(target): compile with $(flags), or -march=native where that has it.
 * With gcc's -std=c11 add -ffp-contract=fast: otherwise each multiply-add is two instructions. */
#if !defined $(macro)
#error "made for $(target): compile with $(flags)"
#endif
typedef float vector __attribute__((vector_size($(bytes)), aligned(4), may_alias));
