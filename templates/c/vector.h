/* A vector of $(lanes) floats, aligned as one float is. */
typedef float vector$(lanes) __attribute__((vector_size($(bytes)), aligned(4), may_alias));
