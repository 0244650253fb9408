/* $(lanes) floats side by side. This file is for $(target): compile with $(flags), or -march=native where that has it. */
#if !defined $(macro)
#error "made for $(target): compile with $(flags)"
#endif
typedef float vector __attribute__((vector_size($(bytes)), aligned(4), may_alias));
