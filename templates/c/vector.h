/* $(lanes) floats side by side. */
typedef float vector$(lanes) __attribute__((vector_size($(bytes)), aligned(4), may_alias));
